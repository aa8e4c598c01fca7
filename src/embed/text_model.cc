#include "embed/text_model.h"

#include <algorithm>

#include "embed/text.h"
#include "embedforge/error.h"
#include "hub/hub.h"

namespace embedforge {
TextModel TextModel::load(const std::string& model, const EmbedderOptions& options) {
  const ResolvedModel resolved = resolve_model(model);
  std::filesystem::path onnx = resolved.onnx(options.file);
  // An .onnx file by itself brings no settings: they are the tokenizer folder's then.
  const bool beside_tokenizer = !resolved.file.empty() && !options.tokenizer.empty();
  ModelConfig config = read_model_config(beside_tokenizer ? std::filesystem::path(options.tokenizer)
                                                          : resolved.folder);
  Tokenizer tokenizer = Tokenizer::load(
      options.tokenizer.empty() ? config.transformer : std::filesystem::path(options.tokenizer));
  const auto length = static_cast<size_t>(
      options.max_length > 0 ? options.max_length : std::max<int64_t>(0, config.max_length));
  return {std::move(onnx), std::move(config), std::move(tokenizer), length};
}

void TextModel::limit_length(size_t most) {
  if (most > 0) max_length = max_length == 0 ? most : std::min(max_length, most);
}

std::string_view TextModel::prepared(std::string_view text, std::string_view prompt,
                                     std::string& changed) const {
  if (!prompt.empty()) {
    changed = prompt;
    changed += text;
    text = changed;
  }
  text = strip(text);
  if (!config.lower_case) return text;
  changed = lower(text);
  return changed;
}

TokenRows TextModel::tokenize(const TextBatch& batch) const {
  TokenRows rows;
  rows.offsets.reserve(batch.texts.size() + 1);
  rows.offsets.push_back(0);
  std::string changed;
  for (size_t i = 0; i < batch.texts.size(); ++i) {
    try {
      tokenizer.append_ids(prepared(batch.texts[i], batch.prompt, changed),
                           {.max_length = max_length}, rows.ids);
    } catch (const Error& e) {
      throw Error(e.code(), "text " + std::to_string(batch.first + i) + ": " + e.what());
    }
    rows.offsets.push_back(rows.ids.size());
  }
  if (!batch.prompt.empty() && !config.include_prompt) {
    // As sentence-transformers counts: the prompt by itself, without a special token at its end.
    const Encoding prompt =
        tokenizer.encode(prepared(batch.prompt, "", changed), {.max_length = max_length});
    rows.skip = prompt.ids.size();
    if (rows.skip > 0 && prompt.special.back() != 0) --rows.skip;
  }
  return rows;
}

std::string TextModel::prompt_of(const EncodeOptions& options) const {
  if (!options.prompt.empty()) return options.prompt;
  const std::string& name =
      options.prompt_name.empty() ? config.default_prompt_name : options.prompt_name;
  if (name.empty()) return "";
  const auto found = config.prompts.find(name);
  if (found == config.prompts.end()) {
    std::string names;
    for (const auto& [key, text] : config.prompts) names += (names.empty() ? "" : ", ") + key;
    throw_usage("prompt_name '" + name + "' isn't among the model's prompts (" +
                (names.empty() ? "it has none" : names) + ")");
  }
  return found->second;
}

}  // namespace embedforge
