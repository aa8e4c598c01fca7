// text-embeddings-inference: texts to tokens and back.
#include "serve/dialects/tei.h"

namespace embedforge::serve::tei {
namespace {

/// Where the code points of a text begin, in bytes, and its end.
std::vector<size_t> code_point_starts(std::string_view text) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) starts.push_back(i);
  }
  starts.push_back(text.size());
  return starts;
}

void append_tokens(std::string& out, const Encoding& encoding, std::string_view text) {
  const std::vector<size_t> starts = code_point_starts(text);
  const auto byte_of = [&](uint32_t point) {
    return starts[std::min<size_t>(point, starts.size() - 1)];
  };
  out += '[';
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [begin, end] = encoding.offsets[i];
    const bool special = encoding.special[i] != 0;
    const size_t from = byte_of(begin);
    out += i == 0 ? "{\"id\":" : ",{\"id\":";
    out += std::to_string(encoding.ids[i]);
    out += ",\"text\":";
    append_string(out, special ? std::string_view(encoding.tokens[i])
                               : text.substr(from, byte_of(std::max(begin, end)) - from));
    out += special ? ",\"special\":true,\"start\":null,\"stop\":null}"
                   : ",\"special\":false,\"start\":" + std::to_string(begin) +
                         ",\"stop\":" + std::to_string(end) + "}";
  }
  out += ']';
}

Entry first_model(const std::string& name, const Catalog& catalog) {
  const auto models = catalog.models();
  const ModelKind kind = models.empty() ? ModelKind::kEmbedding : models.front()->kind;
  return catalog.find(name, kind);
}

}  // namespace

Exchange tokenize(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = first_model(fields.take_string("model"), catalog)->id;
  TokenizeAsk ask;
  Json& inputs = fields.need("inputs", "a string or a list of strings");
  if (inputs.is_string()) {
    ask.texts.push_back(take_string(inputs, "inputs"));
  } else {
    ask.texts = fields.need_strings("inputs");
  }
  if (ask.texts.empty()) check_text("", "inputs");
  for (const std::string& text : ask.texts) check_text(text, "inputs");
  ask.add_special_tokens = fields.boolean("add_special_tokens", true);
  ask.prompt_name = fields.take_string("prompt_name");
  exchange.ask = std::move(ask);
  exchange.write = [](const Answer& made) {
    const auto& tokenized = std::get<Tokenized>(made.content);
    std::string text = "[";
    for (size_t i = 0; i < tokenized.texts.size(); ++i) {
      if (i > 0) text += ',';
      append_tokens(text, tokenized.texts[i], tokenized.prompted[i]);
    }
    return answer(text + "]");
  };
  return exchange;
}

Exchange decode(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  const Fields fields(body);
  const Entry entry = first_model(fields.take_string("model"), catalog);
  Exchange exchange;
  exchange.model = entry->id;
  DecodeAsk ask;
  Json& ids = fields.need("ids", "a list of token ids, or a list of those");
  if (!ids.is_array()) fail_field("ids", "a list of token ids, or a list of those", ids);
  if (ids.empty()) check_text("", "ids");
  if (ids[0].is_array()) {
    for (const Json& list : ids) ask.ids.push_back(take_ids(list, "ids", *entry));
  } else {
    ask.ids.push_back(take_ids(ids, "ids", *entry));
  }
  ask.skip_special_tokens = fields.boolean("skip_special_tokens", true);
  exchange.ask = std::move(ask);
  exchange.write = [](const Answer& made) {
    std::string text = "[";
    for (const std::string& one : std::get<Decoded>(made.content).texts) {
      if (text.size() > 1) text += ',';
      append_string(text, one);
    }
    return answer(text + "]");
  };
  return exchange;
}

}  // namespace embedforge::serve::tei
