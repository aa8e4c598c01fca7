#include "tokenize/post/post_processors.h"

#include <algorithm>

#include "embedforge/error.h"
#include "tokenize/unicode/unicode.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

using Encodings = std::vector<Encoding>;

size_t count(const std::vector<TemplatePiece>& pieces) {
  size_t total = 0;
  for (const TemplatePiece& piece : pieces) total += piece.ids.size();
  return total;
}

Encoding special(const std::vector<int32_t>& ids, const std::vector<std::string>& tokens,
                 int32_t type_id) {
  Encoding encoding;
  encoding.ids = ids;
  encoding.tokens = tokens;
  encoding.type_ids.assign(ids.size(), type_id);
  encoding.offsets.assign(ids.size(), {0, 0});
  encoding.special.assign(ids.size(), 1);
  return encoding;
}

Encoding special(const SpecialToken& token, int32_t type_id) {
  return special(std::vector<int32_t>{token.id}, {token.text}, type_id);
}

void set_type(Encoding& encoding, int32_t type_id) {
  std::fill(encoding.type_ids.begin(), encoding.type_ids.end(), type_id);
}

struct Count {
  bool pair;
  size_t operator()(const TemplateProcessor& p) const { return count(pair ? p.pair : p.single); }
  size_t operator()(const BertProcessor&) const { return pair ? 3 : 2; }
  size_t operator()(const RobertaProcessor&) const { return pair ? 4 : 2; }
  size_t operator()(const ByteLevelProcessor&) const { return 0; }
};

struct Process {
  Encodings in;
  bool add_special_tokens;

  Encodings operator()(const TemplateProcessor& p) {
    if (in.size() > 2) {
      throw_not_supported("tokenizer: post_processor applies a template to the result of another");
    }
    Encodings out;
    for (const TemplatePiece& piece : in.size() == 2 ? p.pair : p.single) {
      if (piece.kind == TemplatePiece::Kind::kSpecial) {
        if (add_special_tokens) out.push_back(special(piece.ids, piece.tokens, piece.type_id));
        continue;
      }
      const size_t index = piece.kind == TemplatePiece::Kind::kFirst ? 0 : 1;
      if (index >= in.size()) throw_bad_input("tokenizer: post_processor.single uses sequence B");
      out.push_back(in[index]);
      set_type(out.back(), piece.type_id);
    }
    return out;
  }

  Encodings operator()(const BertProcessor& p) {
    if (!add_special_tokens) return std::move(in);
    for (size_t i = 0; i < in.size(); ++i) {
      Encoding whole = i == 0 ? special(p.cls, 0) : Encoding{};
      append_encoding(whole, in[i]);
      append_encoding(whole, special(p.sep, i == 0 ? 0 : 1));
      in[i] = std::move(whole);
    }
    return std::move(in);
  }

  Encodings operator()(const RobertaProcessor& p) {
    for (Encoding& encoding : in) {
      if (p.trim_offsets) trim_offsets(encoding, p.add_prefix_space);
      set_type(encoding, 0);
    }
    if (!add_special_tokens) return std::move(in);
    for (size_t i = 0; i < in.size(); ++i) {
      Encoding whole = special(i == 0 ? p.cls : p.sep, 0);
      append_encoding(whole, in[i]);
      append_encoding(whole, special(p.sep, 0));
      in[i] = std::move(whole);
    }
    return std::move(in);
  }

  Encodings operator()(const ByteLevelProcessor& p) {
    if (p.trim_offsets) {
      for (Encoding& encoding : in) trim_offsets(encoding, p.add_prefix_space);
    }
    return std::move(in);
  }
};

}  // namespace

void append_encoding(Encoding& head, const Encoding& tail) {
  head.ids.insert(head.ids.end(), tail.ids.begin(), tail.ids.end());
  head.type_ids.insert(head.type_ids.end(), tail.type_ids.begin(), tail.type_ids.end());
  head.tokens.insert(head.tokens.end(), tail.tokens.begin(), tail.tokens.end());
  head.offsets.insert(head.offsets.end(), tail.offsets.begin(), tail.offsets.end());
  head.special.insert(head.special.end(), tail.special.begin(), tail.special.end());
}

void trim_offsets(Encoding& encoding, bool add_prefix_space) {
  const auto is_space = [](char32_t c) { return c == 0x120 || is_unicode(c, kIsWhitespace); };
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const std::string& token = encoding.tokens[i];
    auto& [begin, end] = encoding.offsets[i];
    uint32_t leading = 0;
    uint32_t trailing = 0;
    bool at_start = true;
    const char* p = token.data();
    const char* const stop = p + token.size();
    while (p < stop) {
      const bool space = is_space(decode_utf8(p));
      at_start = at_start && space;
      leading += at_start ? 1 : 0;
      trailing = space ? trailing + 1 : 0;
    }
    // A single leading space at the start of the text is the one that the pre-tokenizer added: no
    // offset counts it.
    if (leading == 1 && add_prefix_space && (i == 0 || begin == 0)) leading = 0;
    begin = std::min(begin + leading, end);
    if (trailing > 0 && end >= trailing) end = std::max(end - trailing, begin);
  }
}

size_t added_token_count(const std::vector<PostProcessor>& steps, bool pair) {
  size_t total = 0;
  for (const PostProcessor& step : steps) total += std::visit(Count{pair}, step);
  return total;
}

Encoding post_process(const std::vector<PostProcessor>& steps, std::vector<Encoding> sequences,
                      bool add_special_tokens) {
  for (size_t i = 0; i < sequences.size(); ++i) set_type(sequences[i], static_cast<int32_t>(i));
  for (const PostProcessor& step : steps) {
    sequences = std::visit(Process{std::move(sequences), add_special_tokens}, step);
  }
  if (sequences.empty()) return {};
  Encoding result = std::move(sequences[0]);
  for (size_t i = 1; i < sequences.size(); ++i) append_encoding(result, sequences[i]);
  return result;
}

}  // namespace embedforge
