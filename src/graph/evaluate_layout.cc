// Operators that make or rearrange tensors without looking at their elements.
#include <algorithm>
#include <map>
#include <numeric>

#include "graph/evaluate_call.h"

namespace embedforge::evaluation {
namespace {

/// The same elements under another shape.
Tensor reshaped(const Call& call, const Tensor& tensor, Dims dims) {
  const auto count = checked_element_count(dims);
  if (!count || *count != tensor.element_count()) call.bad("can't give its input that shape");
  Tensor out = tensor;
  out.dims = std::move(dims);
  return out;
}

std::vector<Tensor> constant(const Call& call) {
  for (const auto& [key, value] : call.node().attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) return {*tensor};
    if (const auto* f = std::get_if<float>(&value)) return {Tensor::from_floats({}, {*f})};
    if (const auto* i = std::get_if<int64_t>(&value)) return {Tensor::from_ints({}, {*i})};
    if (const auto* fs = std::get_if<std::vector<float>>(&value)) {
      return {Tensor::from_floats({static_cast<int64_t>(fs->size())}, *fs)};
    }
    if (const auto* is = std::get_if<std::vector<int64_t>>(&value)) {
      return {Tensor::from_ints({static_cast<int64_t>(is->size())}, *is)};
    }
  }
  call.unsupported("has no numeric value");
}

std::vector<Tensor> identity(const Call& call) { return {call.input(0)}; }

std::vector<Tensor> constant_of_shape(const Call& call) {
  const Dims dims = to_ints(call.input(0));
  Tensor value = Tensor::from_floats({1}, {0});
  const auto found = call.node().attributes.find("value");
  if (found != call.node().attributes.end()) {
    const auto* tensor = std::get_if<Tensor>(&found->second);
    if (tensor == nullptr || tensor->element_count() != 1)
      call.bad("has a value that is no scalar");
    value = *tensor;
  }
  return {gather_elements(call, value, dims, [](size_t) { return size_t{0}; })};
}

std::vector<Tensor> shape(const Call& call) {
  const Dims& dims = call.input(0).dims;
  const auto rank = static_cast<int64_t>(dims.size());
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamp(call.node().int_attribute("start", 0));
  const int64_t end = std::max(start, clamp(call.node().int_attribute("end", rank)));
  return {Tensor::from_ints({end - start}, Dims(dims.begin() + start, dims.begin() + end))};
}

std::vector<Tensor> size(const Call& call) {
  return {Tensor::from_ints({}, {call.input(0).element_count()})};
}

std::vector<Tensor> reshape(const Call& call) {
  const Tensor& in = call.input(0);
  const auto wanted = call.ints(1, "shape");
  if (!wanted) call.bad("lacks its shape");
  return {reshaped(call, in, resolve_reshape(call, in.dims, *wanted))};
}

std::vector<Tensor> flatten(const Call& call) {
  const Tensor& in = call.input(0);
  const int64_t rank = static_cast<int64_t>(in.dims.size());
  int64_t axis = call.node().int_attribute("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank) call.bad("has an axis outside of its input");
  Dims dims = {1, 1};
  for (int64_t i = 0; i < rank; ++i) dims[i < axis ? 0 : 1] *= in.dims[static_cast<size_t>(i)];
  return {reshaped(call, in, dims)};
}

std::vector<Tensor> unsqueeze(const Call& call) {
  const Tensor& in = call.input(0);
  const auto axes = call.ints(1, "axes");
  if (!axes) call.bad("lacks its axes");
  const size_t rank = in.dims.size() + axes->size();
  std::vector<bool> is_new(rank, false);
  for (const int64_t axis : *axes) is_new[static_cast<size_t>(call.axis(axis, rank))] = true;
  if (std::count(is_new.begin(), is_new.end(), true) != static_cast<ptrdiff_t>(axes->size())) {
    call.bad("names an axis twice");
  }
  Dims dims;
  size_t next = 0;
  for (const bool one : is_new) dims.push_back(one ? 1 : in.dims[next++]);
  return {reshaped(call, in, dims)};
}

std::vector<Tensor> squeeze(const Call& call) {
  const Tensor& in = call.input(0);
  const auto axes = call.ints(1, "axes");
  std::vector<bool> drop(in.dims.size(), false);
  if (axes) {
    for (const int64_t axis : *axes)
      drop[static_cast<size_t>(call.axis(axis, in.dims.size()))] = true;
  }
  Dims dims;
  for (size_t i = 0; i < in.dims.size(); ++i) {
    if (axes ? !drop[i] : in.dims[i] != 1) dims.push_back(in.dims[i]);
  }
  return {reshaped(call, in, dims)};
}

std::vector<Tensor> transpose(const Call& call) {
  const Tensor& in = call.input(0);
  const size_t rank = in.dims.size();
  std::vector<int64_t> order(rank);
  std::iota(order.rbegin(), order.rend(), 0);
  if (const auto* given = call.node().ints_attribute("perm")) order = *given;
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (order.size() != rank || sorted[i] != static_cast<int64_t>(i)) call.bad("has a wrong perm");
  }
  std::vector<int64_t> strides(rank, 1);
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * in.dims[i];
  Dims dims;
  std::vector<int64_t> steps;
  for (const int64_t from : order) {
    dims.push_back(in.dims[static_cast<size_t>(from)]);
    steps.push_back(strides[static_cast<size_t>(from)]);
  }
  std::vector<int64_t> index(rank, 0);
  int64_t at = 0;
  return {gather_elements(call, in, dims, [&](size_t) {
    const int64_t here = at;
    for (size_t axis = rank; axis-- > 0;) {
      at += steps[axis];
      if (++index[axis] < dims[axis]) break;
      at -= steps[axis] * dims[axis];
      index[axis] = 0;
    }
    return static_cast<size_t>(here);
  })};
}

std::vector<Tensor> concat(const Call& call) {
  const Tensor& first = call.input(0);
  const auto axis =
      static_cast<size_t>(call.axis(call.node().int_attribute("axis", 0), first.dims.size()));
  Dims dims = first.dims;
  dims[axis] = 0;
  for (size_t i = 0; i < call.input_count(); ++i) {
    const Tensor& in = call.input(i);
    Dims expected = in.dims;
    if (in.dims.size() == dims.size()) expected[axis] = first.dims[axis];
    if (expected != first.dims || in.type != first.type) call.bad("has inputs that don't fit");
    dims[axis] += in.dims[axis];
  }
  Output out(call, first.type, dims);
  const auto outer = static_cast<size_t>(std::accumulate(
      dims.begin(), dims.begin() + static_cast<ptrdiff_t>(axis), int64_t{1}, std::multiplies<>()));
  if (out.count == 0) return {std::move(out).finish()};
  std::byte* to = out.data;
  for (size_t row = 0; row < outer; ++row) {
    for (size_t i = 0; i < call.input_count(); ++i) {
      const auto part = call.input(i).bytes.subspan(row * (call.input(i).bytes.size() / outer),
                                                    call.input(i).bytes.size() / outer);
      to = std::copy(part.begin(), part.end(), to);
    }
  }
  return {std::move(out).finish()};
}

std::vector<Tensor> expand(const Call& call) {
  const Tensor& in = call.input(0);
  const std::vector<Dims> both = {in.dims, to_ints(call.input(1))};
  const Dims dims = broadcast_dims(call, both);
  const std::vector<uint32_t> from = broadcast_indices(call, in.dims, dims);
  return {gather_elements(call, in, dims, [&](size_t i) { return size_t{from[i]}; })};
}

std::vector<Tensor> tile(const Call& call) {
  const Tensor& in = call.input(0);
  const std::vector<int64_t> repeats = to_ints(call.input(1));
  if (repeats.size() != in.dims.size()) call.bad("repeats as many axes as its input doesn't have");
  Dims dims = in.dims;
  for (size_t i = 0; i < dims.size(); ++i) {
    const std::vector<int64_t> both = {dims[i], repeats[i]};
    const auto size = checked_element_count(both);
    if (!size) call.bad("makes an impossible shape");
    dims[i] = *size;
  }
  return {gather_elements(call, in, dims, [&](size_t i) {
    size_t from = 0;
    size_t stride = 1;
    for (size_t axis = dims.size(); axis-- > 0;) {
      const auto size = static_cast<size_t>(dims[axis]);
      const auto original = static_cast<size_t>(in.dims[axis]);
      from += (i % size) % original * stride;
      stride *= original;
      i /= size;
    }
    return from;
  })};
}

}  // namespace

Dims resolve_reshape(const Call& call, const Dims& from, const Dims& wanted) {
  const bool keep_zero = call.node().int_attribute("allowzero", 0) != 0;
  Dims dims = wanted;
  int64_t known = 1;
  size_t free = dims.size();
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !keep_zero) {
      if (i >= from.size()) call.bad("copies a size that its input doesn't have");
      dims[i] = from[i];
    }
    if (dims[i] == -1) {
      if (free != dims.size()) call.bad("leaves two sizes open");
      free = i;
    } else if (dims[i] < 0) {
      call.bad("has a negative size");
    }
  }
  Dims rest = dims;
  if (free != dims.size()) rest[free] = 1;
  const auto product = checked_element_count(rest);
  if (!product) call.bad("makes an impossible shape");
  known = *product;
  if (free != dims.size()) {
    const auto total = checked_element_count(from);
    if (!total || known == 0 || *total % known != 0) call.bad("can't give its input that shape");
    dims[free] = *total / known;
  }
  return dims;
}

Handler find_layout(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Concat", concat},       {"Constant", constant},  {"ConstantOfShape", constant_of_shape},
      {"Expand", expand},       {"Flatten", flatten},    {"Identity", identity},
      {"Dropout", identity},    {"Reshape", reshape},    {"Shape", shape},
      {"Size", size},           {"Squeeze", squeeze},    {"Tile", tile},
      {"Transpose", transpose}, {"Unsqueeze", unsqueeze}};
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace embedforge::evaluation
