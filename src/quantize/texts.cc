#include "quantize/texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "embed/text.h"
#include "embedforge/error.h"
#include "quantize/default_texts.h"
#include "tokenize/tokenizer.h"

namespace embedforge::quantization {
namespace {

constexpr size_t kFewestTexts = 10;
constexpr size_t kMostReported = 200;   // texts whose cosine is taken
constexpr size_t kOwnBesideGiven = 80;  // of the library's own, half of them short
/// Tokens that are calibrated with at most, so that memory doesn't grow with the texts.
constexpr size_t kMostTokens = 24576;
/// Tokens of the random sequences that stand in for texts; no model takes fewer.
constexpr std::array<size_t, 24> kRandomLengths = {6,  8,  10, 12, 14, 16, 18, 20, 22, 24, 28, 32,
                                                   36, 40, 44, 48, 52, 56, 60, 60, 60, 60, 60, 60};

class TextTokens {
 public:
  explicit TextTokens(const ModelConfig& config)
      : config_(config), tokenizer_(Tokenizer::load(config.transformer, config.lower_case)) {}

  void append(std::string_view text, Tokens& out) const {
    tokenizer_.append_ids(text, {.max_length = static_cast<size_t>(config_.max_length)}, out.ids);
    out.offsets.push_back(out.ids.size());
  }

  /// Tokens drawn evenly from the vocabulary, between those that an empty text has.
  void append_random(size_t length, std::mt19937& engine, Tokens& out) const {
    std::vector<int32_t> frame;
    tokenizer_.append_ids("", {}, frame);
    const auto before = static_cast<std::ptrdiff_t>(frame.size() / 2);
    out.ids.insert(out.ids.end(), frame.begin(), frame.begin() + before);
    for (size_t i = 0; i < length; ++i)
      out.ids.push_back(static_cast<int32_t>(engine() % tokenizer_.vocabulary_size()));
    out.ids.insert(out.ids.end(), frame.begin() + before, frame.end());
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
      const bool used =
          options.default_texts != DefaultTexts::kNone && out.used.texts() < options.samples;
      if (held || used) tokens.append(text, held ? out.held : out.used);
    }
    if (options.default_texts == DefaultTexts::kNone) {
      // NOLINTNEXTLINE(bugprone-random-generator-seed): the same file each time, on every machine
      std::mt19937 engine(1);
      for (const size_t length : kRandomLengths) tokens.append_random(length, engine, out.used);
      return out;
    }
    out.count = out.used.texts();
    return out;
  }
  out.given = true;
  std::vector<std::string_view> texts;
  for (const std::string& text : options.calibration) {
    if (!is_blank(text)) texts.emplace_back(text);
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
  for (const std::string_view text : default_texts().first(kOwnBesideGiven))
    tokens.append(text, out.used);
  return out;
}

}  // namespace embedforge::quantization
