#include "verify_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "config/json_file.h"
#include "config/model_config.h"
#include "convert/bert.h"
#include "convert/reference.h"
#include "embed/head.h"
#include "embedforge/embedder.h"
#include "embedforge/error.h"
#include "embedforge/vectors.h"
#include "engine/head.h"
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

/// What pooling and the modules after it make of the reference's rows, cut and normalized as the
/// model's files say.
Matrix vector_of(const Head& head, const ModelConfig& config, const std::vector<double>& hidden) {
  const std::vector<float> rows(hidden.begin(), hidden.end());
  Matrix out{1, head.width(), std::vector<float>(head.width())};
  head.apply(rows.data(), rows.size() / static_cast<size_t>(config.hidden_size), 0,
             out.values.data());
  const auto cut = static_cast<size_t>(config.truncate_dim);
  cut_and_normalize(out, cut < head.width() ? cut : 0, config.normalize);
  return out;
}

}  // namespace

void check_can_verify(const std::string& checkpoint) {
  const ModelConfig config =
      read_model_config(resolve_model(checkpoint, PullWhat::kWeights).folder);
  if (config.scores) {
    throw_not_supported("--verify computes embeddings only, and " + checkpoint +
                        " is a cross-encoder; leave it out");
  }
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
  const Head head(read_head(config, std::nullopt, static_cast<size_t>(bert.hidden_size)),
                  static_cast<size_t>(bert.hidden_size));
  const Embedder embedder = Embedder::load(written.string());
  const Matrix vectors =
      embedder.encode(kTexts, {.normalize = config.normalize, .prompt = std::string()});

  double largest = 0;
  for (size_t i = 0; i < kTexts.size(); ++i) {
    std::vector<int32_t> ids;
    tokenizer.append_ids(kTexts[i], {.max_length = embedder.max_length()}, ids);
    const Matrix expected = vector_of(head, config, bert_reference(bert, weights, ids));
    if (vectors.columns != expected.columns) {
      throw Error(ErrorCode::kBug,
                  fmt::format("{}: gives {} values, expected {}", embedder.model_path(),
                              vectors.columns, expected.columns));
    }
    for (size_t j = 0; j < expected.columns; ++j) {
      largest = std::max(largest, std::abs(static_cast<double>(expected.values[j]) -
                                           static_cast<double>(vectors.row(i)[j])));
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
