#include "serve/prepare.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "embed/encode_plan.h"
#include "embedforge/error.h"

namespace embedforge::serve {
namespace {

/// Bytes that one token can stand for at most, for refusing what is far too long unread.
constexpr size_t kBytesPerToken = 250;

/// How texts of one request are cut.
struct Cut {
  size_t most = 0;  // tokens; 0: no bound
  bool allowed = true;
  std::optional<TruncationSide> side;

  Cut(const ServedModel& model, const Truncation& wish, const Settings& settings)
      : most(model.model->text().max_length),
        allowed(wish.allowed.value_or(settings.auto_truncate)),
        side(wish.side) {
    if (wish.max_tokens > 0 && (most == 0 || wish.max_tokens < most)) most = wish.max_tokens;
  }
};

[[noreturn]] void throw_too_long(const Cut& cut, size_t given) {
  throw Failure(FailureKind::kValidation, "`inputs` must have less than " +
                                              std::to_string(cut.most) +
                                              " tokens. Given: " + std::to_string(given));
}

/// The text's ids at the end of `ids`; whether it was cut.
bool append_text(const Tokenizer& tokenizer, std::string_view text, const Cut& cut,
                 std::vector<int32_t>& ids) {
  const size_t begin = ids.size();
  if (cut.most == 0) {
    tokenizer.append_ids(text, {.side = cut.side}, ids);
    return false;
  }
  if (!cut.allowed && text.size() > cut.most * kBytesPerToken)
    throw_too_long(cut, text.size() / kBytesPerToken);
  // One more than may be: that shows whether it is too long, without reading on to its end.
  tokenizer.append_ids(text, {.max_length = cut.most + 1, .side = cut.side}, ids);
  if (ids.size() - begin <= cut.most) return false;
  if (!cut.allowed) throw_too_long(cut, tokenizer.count_tokens(text));
  ids.resize(begin);
  tokenizer.append_ids(text, {.max_length = cut.most, .side = cut.side}, ids);
  return true;
}

/// The ids as they are; where they are too many, those between the first and the last are cut.
bool append_given(const std::vector<int32_t>& given, int32_t vocabulary, const Cut& cut,
                  std::vector<int32_t>& ids) {
  for (const int32_t id : given) {
    if (id < 0 || id >= vocabulary) {
      throw Failure(FailureKind::kUsage, "token id " + std::to_string(id) +
                                             " is not in the model's vocabulary of " +
                                             std::to_string(vocabulary));
    }
  }
  const bool too_long = cut.most > 0 && given.size() > cut.most;
  if (!too_long) {
    ids.insert(ids.end(), given.begin(), given.end());
    return false;
  }
  if (!cut.allowed) throw_too_long(cut, given.size());
  const auto keep = static_cast<ptrdiff_t>(cut.most);
  if (cut.side == TruncationSide::kLeft) {
    ids.push_back(given.front());
    ids.insert(ids.end(), given.end() - keep + 1, given.end());
  } else {
    ids.insert(ids.end(), given.begin(), given.begin() + keep - 1);
    ids.push_back(given.back());
  }
  return true;
}

/// What a request, then the server's flags, then the model put before each text.
std::string prompt_for(const ModelEntry& entry, const Settings& settings, std::string name,
                       std::optional<std::string> prompt, InputType type) {
  if (!prompt && name.empty() && type == InputType::kNone) {
    if (!settings.default_prompt.empty()) return settings.default_prompt;
    name = settings.default_prompt_name;
  }
  EncodeOptions options;
  options.prompt = std::move(prompt);
  options.prompt_name = std::move(name);
  try {
    return prompt_of(entry.info, options, type);
  } catch (const Error& error) {
    throw Failure(FailureKind::kValidation, error.what(), "prompt_name");
  }
}

/// append(i) for each input, whose failure is its own where that is allowed.
template <typename Append>
void each_input(Prepared& out, size_t begin, size_t end, bool fail_alone, Append append) {
  if (fail_alone) out.failed.resize(end - begin);
  out.tokens.offsets.reserve(end - begin + 1);
  for (size_t i = begin; i < end; ++i) {
    bool truncated = false;
    try {
      truncated = append(i);
    } catch (const Failure& failure) {
      if (!fail_alone) throw;
      out.failed[i - begin] = failure.what();
    } catch (const Error& error) {
      const std::string why = "text " + std::to_string(i) + ": " + error.what();
      if (!fail_alone) throw Failure(FailureKind::kUsage, why);
      out.failed[i - begin] = why;
    }
    if (fail_alone && !out.failed[i - begin].empty()) {
      out.tokens.ids.resize(out.tokens.offsets.back());
      truncated = false;
    }
    out.truncated.push_back(truncated);
    out.tokens.offsets.push_back(out.tokens.ids.size());
  }
}

/// A pair's ids and types at the end of `out`; whether it was cut.
bool append_pair(const Tokenizer& tokenizer, std::string_view first,
                 const std::optional<std::string>& second, const Cut& cut, TokenizedTexts& out) {
  const auto encode = [&](size_t most) {
    const TokenizeOptions options{.max_length = most, .side = cut.side};
    return second ? tokenizer.encode_pair(first, *second, options)
                  : tokenizer.encode(first, options);
  };
  Encoding encoding = encode(cut.most == 0 ? 0 : cut.most + 1);
  const bool too_long = cut.most > 0 && encoding.ids.size() > cut.most;
  if (too_long && !cut.allowed) throw_too_long(cut, encode(0).ids.size());
  if (too_long) encoding = encode(cut.most);
  out.ids.insert(out.ids.end(), encoding.ids.begin(), encoding.ids.end());
  out.type_ids.insert(out.type_ids.end(), encoding.type_ids.begin(), encoding.type_ids.end());
  return too_long;
}

}  // namespace

Prepared prepare(const ServedModel& model, const EmbedAsk& ask, const Settings& settings,
                 size_t begin, size_t end) {
  const TextModel& text_model = model.model->text();
  const Cut cut(model, ask.truncation, settings);
  const std::string prompt =
      prompt_for(*model.entry, settings, ask.prompt_name, ask.prompt, ask.type);
  Prepared out;
  out.tokens.skip = text_model.skipped_tokens(prompt);
  std::string prompted;
  each_input(out, begin, end, ask.fail_alone, [&](size_t i) {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&ask.inputs[i]))
      return append_given(*ids, model.entry->vocabulary, cut, out.tokens.ids);
    const auto& text = std::get<std::string>(ask.inputs[i]);
    out.characters += text.size();
    if (prompt.empty()) return append_text(text_model.tokenizer, text, cut, out.tokens.ids);
    prompted.assign(prompt).append(text);
    return append_text(text_model.tokenizer, prompted, cut, out.tokens.ids);
  });
  return out;
}

Prepared prepare(const ServedModel& model, const ScoreAsk& ask, const Settings& settings,
                 size_t begin, size_t end) {
  const Cut cut(model, ask.truncation, settings);
  Prepared out;
  each_input(out, begin, end, false, [&](size_t i) {
    const auto& [first, second] = ask.inputs[i];
    out.characters += first.size() + (second ? second->size() : 0);
    return append_pair(model.model->text().tokenizer, first, second, cut, out.tokens);
  });
  return out;
}

Tokenized tokenize(const ServedModel& model, const TokenizeAsk& ask, const Settings& settings) {
  Tokenized out;
  // Tokenizing is not embedding: no prompt unless it is asked for by name.
  const std::string prompt =
      ask.prompt_name.empty()
          ? ""
          : prompt_for(*model.entry, settings, ask.prompt_name, std::nullopt, InputType::kNone);
  for (size_t i = 0; i < ask.texts.size(); ++i) {
    out.prompted.push_back(prompt + ask.texts[i]);
    try {
      out.texts.push_back(model.model->text().tokenizer.encode(
          out.prompted.back(), {.add_special_tokens = ask.add_special_tokens}));
    } catch (const Error& error) {
      throw Failure(FailureKind::kUsage, "text " + std::to_string(i) + ": " + error.what());
    }
  }
  return out;
}

Decoded decode(const ServedModel& model, const DecodeAsk& ask) {
  Decoded out;
  for (const std::vector<int32_t>& ids : ask.ids) {
    for (const int32_t id : ids) {
      if (id < 0 || id >= model.entry->vocabulary) {
        throw Failure(FailureKind::kUsage, "token id " + std::to_string(id) +
                                               " is not in the model's vocabulary of " +
                                               std::to_string(model.entry->vocabulary));
      }
    }
    out.texts.push_back(model.model->text().tokenizer.decode(ids, ask.skip_special_tokens));
  }
  return out;
}

}  // namespace embedforge::serve
