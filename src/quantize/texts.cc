#include "quantize/texts.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/text.h"
#include "embedforge/error.h"
#include "quantize/default_texts.h"
#include "tokenize/tokenizer.h"

namespace embedforge::quantization {
namespace {

constexpr size_t kFewestTexts = 10;
constexpr size_t kMostReported = 200;  // texts whose cosine is taken
/// Tokens that are calibrated with at most, so that memory doesn't grow with the texts.
constexpr size_t kMostTokens = 24576;

class TextTokens {
 public:
  explicit TextTokens(const ModelConfig& config)
      : config_(config), tokenizer_(Tokenizer::load(config.transformer)) {}

  void append(std::string_view text, Tokens& out) const {
    std::string changed(strip(text));
    if (config_.lower_case) changed = lower(changed);
    tokenizer_.append_ids(changed, {.max_length = static_cast<size_t>(config_.max_length)},
                          out.ids);
    out.offsets.push_back(out.ids.size());
  }

 private:
  const ModelConfig& config_;
  Tokenizer tokenizer_;
};

}  // namespace

TextSplit split_texts(const QuantizeOptions& options, const ModelConfig& config) {
  if (options.samples < kFewestTexts)
    throw_usage(fmt::format("samples must be at least {}", kFewestTexts));
  const TextTokens tokens(config);
  TextSplit out;
  if (options.calibration.empty()) {
    size_t i = 0;
    for (const std::string_view text : default_texts()) {
      const bool held = is_held_out(i++);
      if (held || out.used.texts() < options.samples)
        tokens.append(text, held ? out.held : out.used);
    }
    out.count = out.used.texts();
    return out;
  }
  out.given = true;
  std::vector<std::string_view> texts;
  for (const std::string& text : options.calibration) {
    if (!strip(text).empty()) texts.emplace_back(text);
  }
  if (texts.size() < kFewestTexts) {
    throw_bad_input(fmt::format("calibration needs at least {} texts that aren't empty ({} given)",
                                kFewestTexts, texts.size()));
  }
  const size_t used = std::min(options.samples, texts.size() - texts.size() / 5);
  for (size_t i = 0; i < texts.size() && out.held.texts() < kMostReported; ++i) {
    if (i >= used) {
      tokens.append(texts[i], out.held);
    } else if (out.used.ids.size() < kMostTokens) {
      tokens.append(texts[i], out.used);
    }
  }
  out.count = out.used.texts();
  for (const std::string_view text : default_texts()) tokens.append(text, out.used);
  return out;
}

}  // namespace embedforge::quantization
