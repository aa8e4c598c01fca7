// Operators that pick elements by position.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "graph/evaluate_call.h"

namespace embedforge::evaluation {
namespace {

/// Elements before, at and after an axis: index = (outer * size + i) * inner + rest.
struct Split3 {
  size_t outer = 1, size = 1, inner = 1;
};

Split3 split_at(const Dims& dims, size_t axis) {
  Split3 out;
  for (size_t i = 0; i < dims.size(); ++i) {
    size_t& part = i < axis ? out.outer : i == axis ? out.size : out.inner;
    part *= static_cast<size_t>(dims[i]);
  }
  return out;
}

size_t checked_index(const Call& call, int64_t index, size_t size) {
  const auto n = static_cast<int64_t>(size);
  if (index < -n || index >= n) {
    call.bad("takes element " + std::to_string(index) + " of " + std::to_string(n));
  }
  return static_cast<size_t>(index < 0 ? index + n : index);
}

std::vector<Tensor> gather(const Call& call) {
  const Tensor& in = call.input(0);
  const Tensor& indices = call.input(1);
  const auto axis =
      static_cast<size_t>(call.axis(call.node().int_attribute("axis", 0), in.dims.size()));
  const Split3 parts = split_at(in.dims, axis);
  std::vector<size_t> chosen;
  for (const int64_t index : to_ints(indices))
    chosen.push_back(checked_index(call, index, parts.size));
  Dims dims(in.dims.begin(), in.dims.begin() + static_cast<ptrdiff_t>(axis));
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), in.dims.begin() + static_cast<ptrdiff_t>(axis) + 1, in.dims.end());
  return {gather_elements(call, in, dims, [&](size_t i) {
    const size_t rest = i % parts.inner;
    const size_t at = i / parts.inner % chosen.size();
    const size_t outer = i / parts.inner / chosen.size();
    return (outer * parts.size + chosen[at]) * parts.inner + rest;
  })};
}

std::vector<Tensor> gather_elements_op(const Call& call) {
  const Tensor& in = call.input(0);
  const Tensor& indices = call.input(1);
  const auto axis =
      static_cast<size_t>(call.axis(call.node().int_attribute("axis", 0), in.dims.size()));
  Dims same = indices.dims;
  if (same.size() == in.dims.size()) same[axis] = in.dims[axis];
  if (same != in.dims) call.unsupported("picks from a part of its input");
  const Split3 to = split_at(indices.dims, axis);
  const Split3 from = split_at(in.dims, axis);
  const std::vector<int64_t> chosen = to_ints(indices);
  return {gather_elements(call, in, indices.dims, [&](size_t i) {
    const size_t outer = i / to.inner / to.size;
    return (outer * from.size + checked_index(call, chosen[i], from.size)) * from.inner +
           i % to.inner;
  })};
}

std::vector<Tensor> gather_nd(const Call& call) {
  const Tensor& in = call.input(0);
  const Tensor& indices = call.input(1);
  if (call.node().int_attribute("batch_dims", 0) != 0) call.unsupported("has batch_dims");
  if (indices.dims.empty()) call.bad("has a scalar of indices");
  const auto depth = static_cast<size_t>(indices.dims.back());
  if (depth == 0 || depth > in.dims.size()) call.bad("has more indices than axes");
  Dims dims(indices.dims.begin(), indices.dims.end() - 1);
  dims.insert(dims.end(), in.dims.begin() + static_cast<ptrdiff_t>(depth), in.dims.end());
  size_t inner = 1;
  for (size_t i = depth; i < in.dims.size(); ++i) inner *= static_cast<size_t>(in.dims[i]);
  const std::vector<int64_t> values = to_ints(indices);
  return {gather_elements(call, in, dims, [&](size_t i) {
    size_t at = 0;
    for (size_t axis = 0; axis < depth; ++axis) {
      const auto size = static_cast<size_t>(in.dims[axis]);
      at = at * size + checked_index(call, values[i / inner * depth + axis], size);
    }
    return at * inner + i % inner;
  })};
}

std::vector<Tensor> slice(const Call& call) {
  const Tensor& in = call.input(0);
  const auto starts = call.ints(1, "starts");
  const auto ends = call.ints(2, "ends");
  if (!starts || !ends || starts->size() != ends->size()) call.bad("lacks its starts or ends");
  std::vector<int64_t> axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = call.ints(3, "axes").value_or(axes);
  const std::vector<int64_t> steps =
      call.has(4) ? to_ints(call.input(4)) : std::vector<int64_t>(starts->size(), 1);
  if (axes.size() != starts->size() || steps.size() != starts->size()) {
    call.bad("has axes or steps that don't fit its starts");
  }
  std::vector<int64_t> first(in.dims.size(), 0);
  std::vector<int64_t> step(in.dims.size(), 1);
  Dims dims = in.dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(call.axis(axes[i], in.dims.size()));
    const int64_t size = in.dims[axis];
    if (steps[i] == 0 || steps[i] == std::numeric_limits<int64_t>::min())
      call.bad("has a step of 0");
    const bool forward = steps[i] > 0;
    const auto clamp = [&](int64_t at) {
      if (at < 0) at += size;
      return std::clamp<int64_t>(at, forward ? 0 : -1, forward ? size : size - 1);
    };
    first[axis] = clamp((*starts)[i]);
    step[axis] = steps[i];
    const int64_t last = clamp((*ends)[i]);
    const int64_t span = forward ? last - first[axis] : first[axis] - last;
    const int64_t stride = forward ? steps[i] : -steps[i];
    dims[axis] = span <= 0 ? 0 : (span - 1) / stride + 1;
  }
  return {gather_elements(call, in, dims, [&](size_t i) {
    int64_t from = 0;
    int64_t stride = 1;
    auto rest = static_cast<int64_t>(i);
    for (size_t axis = dims.size(); axis-- > 0;) {
      from += (first[axis] + rest % dims[axis] * step[axis]) * stride;
      rest /= dims[axis];
      stride *= in.dims[axis];
    }
    return static_cast<size_t>(from);
  })};
}

std::vector<Tensor> split(const Call& call) {
  const Tensor& in = call.input(0);
  const auto axis =
      static_cast<size_t>(call.axis(call.node().int_attribute("axis", 0), in.dims.size()));
  const Split3 parts = split_at(in.dims, axis);
  const auto outputs = static_cast<int64_t>(call.node().outputs.size());
  const auto total = static_cast<int64_t>(parts.size);
  const int64_t each = outputs == 0 ? 0 : (total + outputs - 1) / outputs;
  std::vector<int64_t> sizes;
  sizes.reserve(call.node().outputs.size());
  for (int64_t i = 0; i < outputs; ++i) {
    sizes.push_back(std::clamp<int64_t>(total - i * each, 0, each));
  }
  sizes = call.ints(1, "split").value_or(sizes);
  int64_t covered = 0;
  for (const int64_t size : sizes) {
    if (size < 0 || size > total - covered) call.bad("has sizes that don't add up");
    covered += size;
  }
  if (covered != total || static_cast<int64_t>(sizes.size()) != outputs) {
    call.bad("has sizes that don't add up");
  }
  std::vector<Tensor> out;
  size_t start = 0;
  for (const int64_t size : sizes) {
    Dims dims = in.dims;
    dims[axis] = size;
    const auto width = static_cast<size_t>(size);
    out.push_back(gather_elements(call, in, dims, [&](size_t i) {
      return (i / parts.inner / width * parts.size + start + i / parts.inner % width) *
                 parts.inner +
             i % parts.inner;
    }));
    start += width;
  }
  return out;
}

std::vector<Tensor> range(const Call& call) {
  const Tensor& first = call.input(0);
  const double start = call.scalar(0);
  const double limit = call.scalar(1);
  const double step = call.scalar(2);
  const double count = std::max(0.0, std::ceil((limit - start) / step));
  if (!(count < 1e15)) call.bad("has no end");
  const Dims dims = {static_cast<int64_t>(count)};
  std::vector<double> values(call.checked_count(dims));
  for (size_t i = 0; i < values.size(); ++i) values[i] = start + static_cast<double>(i) * step;
  return {from_doubles(call, first.type, dims, values)};
}

std::vector<Tensor> where(const Call& call) {
  const Tensor& condition = call.input(0);
  const Tensor& yes = call.input(1);
  const Tensor& no = call.input(2);
  if (yes.type != no.type) call.bad("chooses between two element types");
  const std::vector<Dims> all = {condition.dims, yes.dims, no.dims};
  const Dims dims = broadcast_dims(call, all);
  const std::vector<uint32_t> from_condition = broadcast_indices(call, condition.dims, dims);
  const std::vector<uint32_t> from_yes = broadcast_indices(call, yes.dims, dims);
  const std::vector<uint32_t> from_no = broadcast_indices(call, no.dims, dims);
  const std::vector<int64_t> truth = to_ints(condition);
  const size_t size = element_size(yes.type);
  Output out(call, yes.type, dims);
  for (size_t i = 0; i < out.count; ++i) {
    const bool chosen = truth[from_condition[i]] != 0;
    const std::byte* from =
        chosen ? yes.bytes.data() + from_yes[i] * size : no.bytes.data() + from_no[i] * size;
    std::memcpy(out.data + i * size, from, size);
  }
  return {std::move(out).finish()};
}

std::vector<Tensor> trilu(const Call& call) {
  const Tensor& in = call.input(0);
  if (in.dims.size() < 2) call.bad("needs a matrix");
  const bool upper = call.node().int_attribute("upper", 1) != 0;
  const int64_t k = call.has(1) ? static_cast<int64_t>(call.scalar(1)) : 0;
  const auto columns = static_cast<size_t>(in.dims.back());
  const auto rows = static_cast<size_t>(in.dims[in.dims.size() - 2]);
  const size_t size = element_size(in.type);
  Output out(call, in.type, in.dims);
  for (size_t i = 0; i < out.count; ++i) {
    const auto distance =
        static_cast<int64_t>(i % columns) - static_cast<int64_t>(i / columns % rows);
    if (upper ? distance >= k : distance <= k) {
      std::memcpy(out.data + i * size, in.bytes.data() + i * size, size);
    }
  }
  return {std::move(out).finish()};
}

}  // namespace

Handler find_index(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Gather", gather},      {"GatherElements", gather_elements_op},
      {"GatherND", gather_nd}, {"Range", range},
      {"Slice", slice},        {"Split", split},
      {"Trilu", trilu},        {"Where", where}};
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace embedforge::evaluation
