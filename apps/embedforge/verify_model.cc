#include "verify_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "config/json_file.h"
#include "config/model_config.h"
#include "convert/bert.h"
#include "convert/reference.h"
#include "embedforge/embedder.h"
#include "embedforge/error.h"
#include "hub/hub.h"
#include "output.h"
#include "tokenize/tokenizer.h"

namespace embedforge::app {
namespace {

constexpr std::array<std::string_view, 5> kTexts = {
    "A man is playing a guitar on the stage.", "How do I change the battery of a bicycle light?",
    "Two plus two is four.", "",
    "The committee met on Tuesday, read the minutes aloud, argued for an hour about the roof, and "
    "adjourned without a decision; the secretary was asked to obtain three further estimates."};

// Values are of order 1 before normalization and less after; float32 sums of some hundred terms
// keep 1e-5 of that.
constexpr double kTolerance = 1e-4;

/// Mean or first token of the reference's rows, by the first pooling mode.
std::vector<double> pooled(const std::vector<double>& hidden, size_t width, Pooling mode) {
  const size_t tokens = mode == Pooling::kCls ? 1 : hidden.size() / width;
  std::vector<double> sum(width, 0.0);
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t j = 0; j < width; ++j)
      sum[j] += hidden[t * width + j] / static_cast<double>(tokens);
  }
  return sum;
}

void scale_to_unit_length(std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  for (double& value : values) value /= std::max(std::sqrt(squares), 1e-12);
}

}  // namespace

void check_can_verify(const std::string& checkpoint) {
  const ModelConfig config =
      read_model_config(resolve_model(checkpoint, PullWhat::kWeights).folder);
  if (config.architecture == "bert") return;
  throw_not_supported("--verify computes model_type \"bert\" only, and " + checkpoint + " is \"" +
                      config.architecture + "\"; leave it out");
}

void verify_model(const std::string& checkpoint, const std::filesystem::path& written) {
  const std::filesystem::path folder = resolve_model(checkpoint, PullWhat::kWeights).folder;
  const ModelConfig config = read_model_config(folder);
  const BertConfig bert = read_bert_config(JsonFile::read(config.transformer / "config.json"));
  const TensorMap weights = bert_weights(bert, read_checkpoint(config.transformer).tensors);
  const Tokenizer tokenizer = Tokenizer::load(config.transformer, config.lower_case);
  const Pooling mode = config.pooling.front() == Pooling::kCls ? Pooling::kCls : Pooling::kMean;
  const Embedder embedder = Embedder::load(
      written.string(), {.pooling = mode == Pooling::kCls ? Pooling::kCls : Pooling::kMean});
  const Matrix vectors = embedder.encode(kTexts, {.normalize = config.normalize});

  double largest = 0;
  for (size_t i = 0; i < kTexts.size(); ++i) {
    std::vector<int32_t> ids;
    tokenizer.append_ids(kTexts[i], {.max_length = static_cast<size_t>(config.max_length)}, ids);
    std::vector<double> expected =
        pooled(bert_reference(bert, weights, ids), static_cast<size_t>(bert.hidden_size), mode);
    if (config.normalize) scale_to_unit_length(expected);
    for (size_t j = 0; j < expected.size(); ++j) {
      largest = std::max(largest, std::abs(expected[j] - static_cast<double>(vectors.row(i)[j])));
    }
  }
  print(fmt::format("verify: largest difference to the checkpoint {:.1e} over {} texts\n", largest,
                    kTexts.size()));
  if (!(largest <= kTolerance)) {
    throw Error(ErrorCode::kBug,
                fmt::format("{}: differs from the checkpoint by {:.1e}, expected {:.0e} at most",
                            embedder.model_path(), largest, kTolerance));
  }
}

}  // namespace embedforge::app
