#include "embed/encode_plan.h"

#include <cmath>
#include <span>
#include <vector>

#include "embedforge/error.h"

namespace embedforge {
namespace {

/// (row - mean) / deviation, which nomic's models want before a row is cut to fewer dimensions
/// (their pages; Matryoshka).
void center_and_scale(std::span<float> row) {
  const auto n = static_cast<double>(row.size());
  double mean = 0;
  for (const float v : row) mean += v;
  mean /= n;
  double variance = 0;
  for (const float v : row) variance += (v - mean) * (v - mean);
  const double scale = 1 / std::sqrt(variance / n + 1e-5);
  for (float& v : row) v = static_cast<float>((v - mean) * scale);
}

/// nomic-embed-text, whose page centers vectors before they are cut; other models of its
/// architecture have prompts or another pooling of their own.
bool is_nomic(const ModelConfig& config) {
  return config.architecture == "nomic_bert" && !config.own_prompts &&
         config.pooling == std::vector{Pooling::kMean};
}

}  // namespace

std::string prompt_of(const EmbedderInfo& info, const EncodeOptions& options, InputType type) {
  if (options.prompt) return *options.prompt;
  std::string name = options.prompt_name;
  const std::vector<const char*> names = type == InputType::kQuery ? std::vector{"query"}
                                         : type == InputType::kDocument
                                             ? std::vector{"document", "passage", "corpus"}
                                             : std::vector<const char*>{};
  for (const char* each : names) {
    if (name.empty() && info.prompts.contains(each)) name = each;
  }
  if (name.empty() && type == InputType::kNone) name = info.default_prompt_name;
  if (name.empty()) return "";
  const auto found = info.prompts.find(name);
  if (found != info.prompts.end()) return found->second;
  std::string known;
  for (const auto& [key, text] : info.prompts) known += (known.empty() ? "" : ", ") + key;
  throw_usage("prompt_name '" + name + "' isn't among the model's prompts (" +
              (known.empty() ? "it has none" : known) + ")");
}

size_t own_dimensions(const ModelConfig& config, size_t width) {
  const auto own = static_cast<size_t>(config.truncate_dim);
  return own < width ? own : 0;
}

Finish finish_of(const ModelConfig* config, size_t width, const EncodeOptions& options) {
  if (width > 0 && options.dimensions > width) {
    Matrix whole{0, width, {}};
    cut_and_normalize(whole, options.dimensions, false);  // says what is wrong
  }
  Finish finish{.dimensions = options.dimensions, .normalize = options.normalize};
  if (config == nullptr) return finish;
  if (options.dimensions == 0) finish.dimensions = own_dimensions(*config, width);
  finish.centered = options.dimensions > 0 && options.dimensions < width && is_nomic(*config);
  return finish;
}

void Finish::apply(Matrix& rows) const {
  for (size_t r = 0; centered && r < rows.rows; ++r) center_and_scale(rows.row(r));
  cut_and_normalize(rows, dimensions, normalize);
}

}  // namespace embedforge
