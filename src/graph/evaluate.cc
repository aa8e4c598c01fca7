#include "graph/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "embedforge/error.h"
#include "graph/evaluate_call.h"
#include "graph/order_nodes.h"

namespace embedforge {
namespace evaluation {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 26;

template <typename T, typename Wide>
void store(std::byte* data, const std::vector<Wide>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(data + i * sizeof(T), &value, sizeof(T));
  }
}

void store_16(std::byte* data, const std::vector<double>& values, uint16_t (*encode)(float)) {
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = encode(static_cast<float>(values[i]));
    std::memcpy(data + 2 * i, &bits, 2);
  }
}

}  // namespace

Call::Call(const Node& node, std::span<const Tensor* const> inputs, int64_t opset)
    : node_(node), inputs_(inputs), opset_(opset), limit_(kMostElements) {
  int64_t total = 0;
  for (const Tensor* input : inputs) {
    if (input != nullptr) total += input->element_count();
  }
  limit_ = std::max(limit_, 4 * total);
}

const Tensor& Call::input(size_t i) const {
  if (!has(i)) bad("lacks its input " + std::to_string(i));
  return *inputs_[i];
}

double Call::scalar(size_t i) const {
  const std::vector<double> values = to_doubles(input(i));
  if (values.size() != 1) bad("needs one number as its input " + std::to_string(i));
  return values[0];
}

std::optional<std::vector<int64_t>> Call::ints(size_t i, const std::string& attribute) const {
  if (has(i)) return to_ints(*inputs_[i]);
  const auto* values = node_.ints_attribute(attribute);
  if (values == nullptr) return std::nullopt;
  return *values;
}

int64_t Call::axis(int64_t axis, size_t rank) const {
  const auto n = static_cast<int64_t>(rank);
  if (axis < -n || axis >= n)
    bad("has axis " + std::to_string(axis) + " of rank " + std::to_string(n));
  return axis < 0 ? axis + n : axis;
}

size_t Call::checked_count(const Dims& dims) const {
  const auto count = checked_element_count(dims);
  if (!count) bad("makes an impossible shape");
  if (*count > limit_) unsupported("makes " + std::to_string(*count) + " elements");
  return static_cast<size_t>(*count);
}

void Call::bad(const std::string& why) const { throw_bad_input(describe(node_) + " " + why); }
void Call::unsupported(const std::string& why) const {
  throw_not_supported(describe(node_) + " " + why);
}

Output::Output(const Call& call, DataType type, Dims dims)
    : type(type),
      dims(std::move(dims)),
      count(call.checked_count(this->dims)),
      buffer(std::make_shared<std::vector<uint64_t>>((count * element_size(type) + 7) / 8)),
      data(reinterpret_cast<std::byte*>(buffer->data())) {
  if (element_size(type) == 0) call.unsupported("is about text");
}

Tensor Output::finish() && {
  return {type, std::move(dims), std::span<const std::byte>(data, count * element_size(type)),
          std::move(buffer)};
}

bool is_integer(DataType type) {
  return !is_float_type(type) && type != DataType::kString && type != DataType::kUndefined;
}

Tensor from_wide_ints(const Call& call, DataType type, const Dims& dims,
                      const std::vector<int64_t>& values) {
  Output out(call, type, dims);
  switch (type) {
    case DataType::kBool: {
      for (size_t i = 0; i < values.size(); ++i) out.data[i] = std::byte(values[i] != 0 ? 1 : 0);
      break;
    }
    case DataType::kUint8:
    case DataType::kInt8:
      store<uint8_t>(out.data, values);
      break;
    case DataType::kUint16:
    case DataType::kInt16:
      store<uint16_t>(out.data, values);
      break;
    case DataType::kUint32:
    case DataType::kInt32:
      store<uint32_t>(out.data, values);
      break;
    case DataType::kUint64:
    case DataType::kInt64:
      store<uint64_t>(out.data, values);
      break;
    default:
      return from_doubles(call, type, dims, std::vector<double>(values.begin(), values.end()));
  }
  return std::move(out).finish();
}

Tensor from_doubles(const Call& call, DataType type, const Dims& dims,
                    const std::vector<double>& values) {
  if (is_integer(type)) {
    std::vector<int64_t> whole(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      constexpr double kEdge = 9.2233720368547758e18;  // 2^63
      const double value = values[i];
      whole[i] = std::isnan(value) ? 0
                 : value >= kEdge  ? std::numeric_limits<int64_t>::max()
                 : value <= -kEdge ? std::numeric_limits<int64_t>::min()
                                   : static_cast<int64_t>(value);
      if (type == DataType::kBool) whole[i] = value != 0 ? 1 : 0;
    }
    return from_wide_ints(call, type, dims, whole);
  }
  Output out(call, type, dims);
  if (type == DataType::kFloat16) {
    store_16(out.data, values, float_to_half);
  } else if (type == DataType::kBfloat16) {
    store_16(out.data, values, float_to_bfloat16);
  } else if (type == DataType::kDouble) {
    store<double>(out.data, values);
  } else {
    store<float>(out.data, values);
  }
  return std::move(out).finish();
}

Dims broadcast_dims(const Call& call, std::span<const Dims> all) {
  Dims out;
  for (const Dims& dims : all) {
    if (dims.size() > out.size()) out.insert(out.begin(), dims.size() - out.size(), 1);
    for (size_t i = 0; i < dims.size(); ++i) {
      int64_t& size = out[out.size() - dims.size() + i];
      if (size == dims[i] || dims[i] == 1) continue;
      if (size != 1) call.bad("has inputs whose shapes don't fit each other");
      size = dims[i];
    }
  }
  return out;
}

std::vector<uint32_t> broadcast_indices(const Call& call, const Dims& from, const Dims& to) {
  const size_t count = call.checked_count(to);
  const size_t rank = to.size();
  std::vector<int64_t> strides(rank, 0);
  int64_t stride = 1;
  for (size_t i = from.size(); i-- > 0;) {
    const size_t at = rank - from.size() + i;
    if (from[i] != 1 && from[i] != to[at]) call.bad("has inputs whose shapes don't fit each other");
    strides[at] = from[i] == 1 ? 0 : stride;
    stride *= from[i];
  }
  std::vector<uint32_t> out(count);
  std::vector<int64_t> index(rank, 0);
  int64_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<uint32_t>(at);
    for (size_t axis = rank; axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < to[axis]) break;
      at -= strides[axis] * to[axis];
      index[axis] = 0;
    }
  }
  return out;
}

namespace {

Handler find(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  for (const auto search : {find_layout, find_index, find_math, find_reduce}) {
    if (const Handler handler = search(node.op_type)) return handler;
  }
  return nullptr;
}

}  // namespace
}  // namespace evaluation

bool can_evaluate(const Node& node) { return evaluation::find(node) != nullptr; }

std::vector<Tensor> evaluate(const Node& node, std::span<const Tensor* const> inputs,
                             int64_t opset) {
  const evaluation::Call call(node, inputs, opset);
  const evaluation::Handler handler = evaluation::find(node);
  if (handler == nullptr) call.unsupported("is an operator that can't be evaluated here");
  return handler(call);
}

}  // namespace embedforge
