// Takes: nothing; what the files of evaluate() share. Gives: access to a call's inputs and buffers
// for its outputs. Never: dispatches.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/tensor.h"

namespace embedforge::evaluation {

using Dims = std::vector<int64_t>;

/// One evaluation of a node.
class Call {
 public:
  Call(const Node& node, std::span<const Tensor* const> inputs, int64_t opset);

  const Node& node() const { return node_; }
  int64_t opset() const { return opset_; }
  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// Error: kBadInput when it is left out.
  const Tensor& input(size_t i) const;
  /// The one number of input `i`. Error: kBadInput when there are more or none.
  double scalar(size_t i) const;
  /// The integers of input `i`, or of the attribute where older opsets keep them; nullopt when
  /// neither is there.
  std::optional<std::vector<int64_t>> ints(size_t i, const std::string& attribute) const;
  /// `axis` counted from the front, within [0, rank) or, for new axes, within the larger rank
  /// given.
  int64_t axis(int64_t axis, size_t rank) const;
  /// Number of elements, after checking that it is within the limit.
  size_t checked_count(const Dims& dims) const;

  [[noreturn]] void bad(const std::string& why) const;
  [[noreturn]] void unsupported(const std::string& why) const;

 private:
  const Node& node_;
  std::span<const Tensor* const> inputs_;
  int64_t opset_;
  int64_t limit_;
};

/// A tensor being filled.
struct Output {
  Output(const Call& call, DataType type, Dims dims);
  Tensor finish() &&;

  DataType type;
  Dims dims;
  size_t count;
  std::shared_ptr<std::vector<uint64_t>> buffer;  // 8-byte units, for alignment
  std::byte* data;
};

Tensor from_doubles(const Call& call, DataType type, const Dims& dims,
                    const std::vector<double>& values);
Tensor from_wide_ints(const Call& call, DataType type, const Dims& dims,
                      const std::vector<int64_t>& values);
bool is_integer(DataType type);  // kBool included

/// The common shape of inputs that broadcast (https://onnx.ai/onnx/repo-docs/Broadcasting.html).
Dims broadcast_dims(const Call& call, std::span<const Dims> all);
/// For each element of `to`, the index of the element of `from` that it repeats.
std::vector<uint32_t> broadcast_indices(const Call& call, const Dims& from, const Dims& to);

/// A new tensor whose element i is element source(i) of `from`.
template <typename Source>
Tensor gather_elements(const Call& call, const Tensor& from, Dims dims, Source source) {
  const size_t size = element_size(from.type);
  Output out(call, from.type, std::move(dims));
  for (size_t i = 0; i < out.count; ++i) {
    std::memcpy(out.data + i * size, from.bytes.data() + source(i) * size, size);
  }
  return std::move(out).finish();
}

/// The shape that Reshape gives: 0 copies (unless allowzero is set), -1 is what remains.
Dims resolve_reshape(const Call& call, const Dims& from, const Dims& wanted);

using Handler = std::vector<Tensor> (*)(const Call&);

// evaluate_layout.cc
Handler find_layout(const std::string& op);
// evaluate_index.cc
Handler find_index(const std::string& op);
// evaluate_math.cc
Handler find_math(const std::string& op);
// evaluate_reduce.cc
Handler find_reduce(const std::string& op);

}  // namespace embedforge::evaluation
