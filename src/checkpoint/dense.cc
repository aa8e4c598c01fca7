#include "checkpoint/dense.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/weights.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

Tensor checked(const HeadModule& module, const TensorMap& tensors, const std::string& name,
               const std::vector<int64_t>& dims) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw_bad_input(module.folder.string() + ": has no tensor \"" + name + "\"");
  }
  if (found->second.dims != dims) {
    throw_bad_input(module.folder.string() + ": tensor \"" + name +
                    "\": config.json gives it shape " + dims_text(dims) + ", the file has " +
                    dims_text(found->second.dims));
  }
  return to_float32(found->second, name);
}

}  // namespace

DenseWeights read_dense_weights(const HeadModule& module) {
  const TensorMap tensors = read_checkpoint(module.folder).tensors;
  DenseWeights out;
  out.weight = checked(module, tensors, "linear.weight", {module.out_features, module.in_features});
  if (module.bias) {
    out.bias = checked(module, tensors, "linear.bias", {module.out_features});
  } else {
    const auto n = static_cast<size_t>(module.out_features);
    out.bias = Tensor::from_floats({module.out_features}, std::vector<float>(n, 0));
  }
  return out;
}

}  // namespace embedforge
