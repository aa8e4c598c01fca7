#include "embed/text_model.h"

#include <algorithm>

#include "convert/converted_model.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

/// append(text) for each, then its end. An error names the text by its index.
template <typename Texts, typename Append>
void each_text(const Texts& texts, size_t first, TokenizedTexts& out, Append append) {
  out.offsets.reserve(texts.size() + 1);
  for (size_t i = 0; i < texts.size(); ++i) {
    try {
      append(texts[i]);
    } catch (const Error& e) {
      throw Error(e.code(), "text " + std::to_string(first + i) + ": " + e.what());
    }
    out.offsets.push_back(out.ids.size());
  }
}

}  // namespace

TextModel TextModel::load(const std::string& model, const EmbedderOptions& options) {
  const ResolvedModel resolved = resolve_converted(model, options.file, options.tell);
  std::filesystem::path onnx = resolved.onnx(options.file);
  // An .onnx file by itself brings no settings: they are the tokenizer folder's then.
  const bool beside_tokenizer = !resolved.file.empty() && !options.tokenizer.empty();
  ModelConfig config = read_model_config(
      beside_tokenizer ? std::filesystem::path(options.tokenizer) : resolved.folder,
      {options.warn, options.strict});
  Tokenizer tokenizer = Tokenizer::load(
      options.tokenizer.empty() ? config.transformer : std::filesystem::path(options.tokenizer),
      config.lower_case);
  const size_t special = tokenizer.encode("").ids.size();
  if (config.max_length > 0 && static_cast<size_t>(config.max_length) < special) {
    throw_not_supported(
        config.transformer.string() + ": texts may have " + std::to_string(config.max_length) +
        " tokens (max_seq_length, or the smaller of tokenizer_config.json's model_max_length and "
        "config.json's max_position_embeddings), and the special ones are " +
        std::to_string(special));
  }
  const auto length = static_cast<size_t>(
      options.max_length > 0 ? options.max_length : std::max<int64_t>(0, config.max_length));
  return {std::move(onnx), std::move(config), std::move(tokenizer), length};
}

void TextModel::limit_length(size_t most) {
  if (most > 0) max_length = max_length == 0 ? most : std::min(max_length, most);
}

TokenizedTexts TextModel::tokenize(const TextBatch& batch) const {
  TokenizedTexts out;
  std::string prompted;
  each_text(batch.texts, batch.first, out, [&](std::string_view text) {
    if (!batch.prompt.empty()) {
      prompted.assign(batch.prompt).append(text);
      text = prompted;
    }
    tokenizer.append_ids(text, {.max_length = max_length}, out.ids);
  });
  out.skip = skipped_tokens(batch.prompt);
  return out;
}

size_t TextModel::skipped_tokens(std::string_view prompt) const {
  if (prompt.empty() || config.include_prompt) return 0;
  // As sentence-transformers counts: the prompt by itself, without a special token at its end.
  const Encoding encoding = tokenizer.encode(prompt, {.max_length = max_length});
  const bool closed = !encoding.ids.empty() && encoding.special.back() != 0;
  return encoding.ids.size() - (closed ? 1 : 0);
}

TokenizedTexts TextModel::tokenize_pairs(std::string_view query, std::span<const std::string> texts,
                                         size_t first) const {
  TokenizedTexts out;
  each_text(texts, first, out, [&](std::string_view text) {
    const Encoding pair = tokenizer.encode_pair(query, text, {.max_length = max_length});
    out.ids.insert(out.ids.end(), pair.ids.begin(), pair.ids.end());
    out.type_ids.insert(out.type_ids.end(), pair.type_ids.begin(), pair.type_ids.end());
  });
  return out;
}

}  // namespace embedforge
