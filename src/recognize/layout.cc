// Operators that change how a tensor is laid out, and those that leave it as it is.
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

#include "graph/shape_rules.h"
#include "graph/tensor.h"
#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

/// Output 0 for each probe, as far as the shapes and what is known say.
Shadows inferred(const Call& call) {
  Shadows out;
  for (size_t p = 0; p < call.probes().size(); ++p) {
    Shadows inputs(call.input_count());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (const Viewed* in = call.viewed(i)) {
        inputs[i] = Shadow{DataType::kFloat, dims_at(in->view, call.probes()[p]), std::nullopt};
      } else if (const auto known = call.known_or_constant(i)) {
        inputs[i] = Shadow{known->at[p].type, known->at[p].dims, known->at[p]};
      }
    }
    const Shadows made = infer_node(call.node(), inputs, call.setting().opset);
    if (made.empty() || !made[0]) call.refuse("has a shape that depends on the tokens' values");
    out.push_back(made[0]);
  }
  return out;
}

/// The expression of the first token of each sequence, when `axis` is that of the sequence.
std::optional<Ref> first_token(const Call& call, const Viewed& in, size_t axis) {
  bool tokens = false;
  const bool rows = is_row_major(in.view, in.of->width, &tokens);
  if (!rows || !tokens || in.view.axes.size() != 3 || axis != 1) return std::nullopt;
  return make(call, Pool{in.of, Pooling::kCls, false}, in.of->width);
}

/// Elements [start, end) of one axis.
Viewed slice_axis(const Call& call, const Viewed& in, size_t axis, int64_t start, int64_t end) {
  if (const auto size = column_size(in.view.axes[axis])) {
    const auto clamp = [&](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? at + *size : at, 0, *size);
    };
    auto view = slice(in.view, axis, clamp(start), std::max<int64_t>(0, clamp(end) - clamp(start)));
    if (!view) call.refuse("takes columns that are not next to each other");
    return {in.of, *view};
  }
  constexpr int64_t kEverything = std::numeric_limits<int32_t>::max();
  if (start == 0 && end >= kEverything) return in;
  auto first = first_token(call, in, axis);
  if (!first || start != 0 || end != 1) call.refuse("takes a part of the sequence");
  Viewed out{*first, in.view};
  out.view.axes[axis] = {};
  return out;
}

}  // namespace

Forms op::identity(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  return {in};
}

/// Casts between float types don't matter to an engine that computes in float; constants keep the
/// file's type.
Forms op::cast(const Call& call) {
  const auto to = static_cast<int32_t>(call.node().int_attribute("to", 0));
  const bool to_float = is_known_type(to) && is_float_type(static_cast<DataType>(to));
  if (const Viewed* in = call.viewed(0)) {
    if (!to_float) call.refuse("makes integers of the tokens' values");
    return {*in};
  }
  const Constant* constant = call.constant(0);
  if (constant != nullptr && to_float && constant->tensor.dims.size() == 2 &&
      (is_float_type(constant->tensor.type) || !constant->scales.empty())) {
    return {*constant};
  }
  return {};
}

Forms op::shape(const Call& call) {
  Known out;
  for (const auto& each : inferred(call)) {
    if (!each->content) call.refuse("has no known shape");
    out.at.push_back(*each->content);
  }
  return {out};
}

/// Whatever leaves the elements in their order: Reshape, Flatten, Squeeze, Unsqueeze.
Forms op::reshape(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  std::vector<std::vector<int64_t>> dims;
  for (const auto& each : inferred(call)) dims.push_back(each->dims);
  auto view = reshape(in.view, dims, call.probes());
  if (!view) call.refuse("gives the tokens' values a shape that mixes their axes");
  return {Viewed{in.of, std::move(*view)}};
}

Forms op::transpose(const Call& call) {
  if (const Constant* constant = call.constant(0)) {
    const auto* order = call.node().ints_attribute("perm");
    const bool swaps = order == nullptr || *order == std::vector<int64_t>{1, 0};
    if (constant->tensor.dims.size() != 2 || !swaps) return {};
    Constant out = *constant;
    out.transposed = !out.transposed;
    return {out};
  }
  const Viewed* in = call.viewed(0);
  if (in == nullptr) return {};
  std::vector<int64_t> order(in->view.axes.size());
  std::iota(order.rbegin(), order.rend(), 0);
  if (const auto* given = call.node().ints_attribute("perm")) order = *given;
  std::vector<int64_t> axes(in->view.axes.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (!std::ranges::is_permutation(order, axes)) call.refuse("has a perm that is none");
  return {Viewed{in->of, transpose(in->view, order)}};
}

Forms op::slice(const Call& call) {
  const Viewed* in = call.viewed(0);
  if (in == nullptr) return slice_table(call);
  const auto starts = call.ints_or_attribute(1, "starts");
  const auto ends = call.ints_or_attribute(2, "ends");
  if (!starts || !ends || starts->size() != ends->size()) call.refuse("has no constant bounds");
  std::vector<int64_t> axes(starts->size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = call.ints_or_attribute(3, "axes").value_or(axes);
  const std::vector<int64_t> ones(axes.size(), 1);
  const std::vector<int64_t> steps =
      call.has(4) ? call.ints(4).value_or(std::vector<int64_t>{}) : ones;
  if (axes.size() != starts->size() || steps != ones) {
    call.refuse("has steps other than 1");
  }
  Viewed out = without_rounding(*in);
  for (size_t i = 0; i < axes.size(); ++i) {
    out = slice_axis(call, out, call.axis(axes[i], out.view.axes.size()), (*starts)[i], (*ends)[i]);
  }
  return {out};
}

Forms op::split(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  const size_t axis = call.axis(call.node().int_attribute("axis", 0), in.view.axes.size());
  const auto size = column_size(in.view.axes[axis]);
  const auto parts = static_cast<int64_t>(call.node().outputs.size());
  if (!size) call.refuse("splits the sequence");
  std::vector<int64_t> sizes(call.node().outputs.size(), *size / parts);
  sizes = call.ints_or_attribute(1, "split").value_or(sizes);
  if (sizes.size() != call.node().outputs.size())
    call.refuse("has sizes that don't fit its outputs");
  Forms out;
  int64_t start = 0;
  for (const int64_t each : sizes) {
    out.emplace_back(slice_axis(call, in, axis, start, start + each));
    start += each;
  }
  return out;
}

Forms op::concat(const Call& call) {
  const Viewed* in = call.viewed(0);
  if (call.input_count() == 1 && in != nullptr) return {*in};
  std::vector<Viewed> parts;
  for (size_t i = 0; i < call.input_count(); ++i) {
    if (call.viewed(i) != nullptr) parts.push_back(*call.viewed(i));
  }
  if (parts.empty()) return {};
  const size_t rank = parts[0].view.axes.size();
  const bool columns = call.axis(call.node().int_attribute("axis", 0), rank) + 1 == rank;
  if (parts.size() != call.input_count() || !columns) call.refuse("joins values of the tokens");
  return {join_columns(call, parts)};
}

Forms op::expand(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  // One number a row broadcasts anyway wherever it is used.
  if (in.of->get<Stat>() != nullptr) return {in};
  const Shadows wanted = inferred(call);
  Viewed out = in;
  for (size_t p = 0; p < call.probes().size(); ++p) {
    const std::vector<int64_t> from = dims_at(in.view, call.probes()[p]);
    const std::vector<int64_t>& to = wanted[p]->dims;
    if (to.size() != from.size()) call.refuse("repeats the tokens' values");
    for (size_t i = 0; i < to.size(); ++i) {
      if (to[i] == from[i]) continue;
      // Heads of k and v that several heads of q share.
      const Axis repeated = {{Atom::Kind::kColumn, to[i], 0}};
      if (from[i] != 1 || (p > 0 && out.view.axes[i] != repeated)) {
        call.refuse("repeats the tokens' values");
      }
      out.view.axes[i] = repeated;
    }
  }
  return {out};
}

Forms gather_columns(const Call& call) {
  const Viewed* given = call.viewed(0);
  if (given == nullptr) return {};
  const Viewed in = without_rounding(*given);
  const size_t axis = call.axis(call.node().int_attribute("axis", 0), in.view.axes.size());
  const auto indices = call.ints(1);
  const Constant* constant = call.constant(1);
  const bool keeps_axis = constant != nullptr ? !constant->tensor.dims.empty()
                                              : indices && !call.known(1)->at[0].dims.empty();
  const bool of_columns = axis + 1 == in.view.axes.size();
  const bool one_of_rows = keeps_axis && is_row_major(in.view, in.of->width);
  if (indices && of_columns && (indices->size() > 1 || one_of_rows)) {
    return {pick_columns(call, in, *indices)};
  }
  if (!indices || indices->size() != 1) call.refuse("picks more than one constant place");
  Viewed out = in;
  if (const auto size = column_size(in.view.axes[axis])) {
    const int64_t index = (*indices)[0] < 0 ? (*indices)[0] + *size : (*indices)[0];
    auto view = slice(in.view, axis, index, 1);
    if (!view) call.refuse("picks a place outside of its axis");
    out.view = *view;
  } else {
    auto first = first_token(call, in, axis);
    if (!first || (*indices)[0] != 0) call.refuse("picks a token that is not the first");
    out.of = *first;
    out.view.axes[axis] = {};
  }
  if (!keeps_axis) out.view.axes.erase(out.view.axes.begin() + static_cast<ptrdiff_t>(axis));
  return {out};
}

}  // namespace embedforge::recognize
