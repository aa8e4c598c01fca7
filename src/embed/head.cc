#include "embed/head.h"

#include <utility>

#include "checkpoint/checkpoint.h"
#include "checkpoint/dense.h"
#include "checkpoint/weights.h"
#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

/// sentence-transformers' LayerNorm module has torch's default.
constexpr float kLayerNormEpsilon = 1e-5F;

std::vector<float> floats_of(const TensorMap& tensors, const std::string& name,
                             const std::vector<int64_t>& dims, const std::string& folder) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw_bad_input(folder + ": its weights have no " + name);
  if (found->second.dims != dims) {
    throw_bad_input(folder + ": " + name + " is " + dims_text(found->second.dims) +
                    ", what comes before has " + dims_text(dims));
  }
  return to_floats(found->second);
}

LinearStep read_dense(const HeadModule& module, int64_t width) {
  DenseWeights weights = read_dense_weights(module);
  if (module.in_features != width) {
    throw_bad_input((module.folder / "config.json").string() + ": in_features is " +
                    std::to_string(module.in_features) + ", but what comes before has " +
                    std::to_string(width) + " values");
  }
  LinearStep step;
  step.weight = {.k = module.in_features,
                 .n = module.out_features,
                 .transposed = true,
                 .format = FloatFormat{std::move(weights.weight)},
                 .name = (module.folder / "linear.weight").string()};
  step.bias = to_floats(weights.bias);
  step.activation = activation_of(module.activation).value();
  return step;
}

NormStep read_layer_norm(const std::filesystem::path& folder, int64_t width) {
  const TensorMap tensors = read_checkpoint(folder).tensors;
  NormStep step;
  step.gamma = floats_of(tensors, "norm.weight", {width}, folder.string());
  step.beta = floats_of(tensors, "norm.bias", {width}, folder.string());
  step.epsilon = kLayerNormEpsilon;
  return step;
}

}  // namespace

std::vector<HeadStep> read_head(const ModelConfig& config, const std::optional<Pooling>& pooling,
                                size_t hidden) {
  const PoolStep pool{pooling ? std::vector{*pooling} : config.pooling};
  auto width = static_cast<int64_t>(hidden * pool.poolings.size());
  std::vector<HeadStep> steps = {pool};
  for (const HeadModule& module : config.head) {
    if (module.kind == HeadModule::Kind::kDense) {
      steps.emplace_back(read_dense(module, width));
      width = module.out_features;
    } else {
      steps.emplace_back(read_layer_norm(module.folder, width));
    }
  }
  return steps;
}

}  // namespace embedforge
