// Operators that sum or compare along axes, and MatMul.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "graph/evaluate_call.h"

namespace embedforge::evaluation {
namespace {

struct Reduction {
  double start = 0;
  double (*add)(double, double) = nullptr;
  double (*finish)(double, double count) = nullptr;
};

const std::map<std::string, Reduction>& reductions() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static const auto kSum = [](double a, double b) { return a + b; };
  static const auto kSquare = [](double a, double b) { return a + b * b; };
  static const std::map<std::string, Reduction> kReductions = {
      {"ReduceSum", {0, kSum, nullptr}},
      {"ReduceMean", {0, kSum, [](double sum, double n) { return sum / n; }}},
      {"ReduceProd", {1, [](double a, double b) { return a * b; }, nullptr}},
      {"ReduceMax", {-kInfinity, [](double a, double b) { return std::max(a, b); }, nullptr}},
      {"ReduceMin", {kInfinity, [](double a, double b) { return std::min(a, b); }, nullptr}},
      {"ReduceSumSquare", {0, kSquare, nullptr}},
      {"ReduceL1", {0, [](double a, double b) { return a + std::fabs(b); }, nullptr}},
      {"ReduceL2", {0, kSquare, [](double sum, double) { return std::sqrt(sum); }}}};
  return kReductions;
}

std::vector<Tensor> reduce(const Call& call) {
  const Reduction& op = reductions().at(call.node().op_type);
  const Tensor& in = call.input(0);
  const bool keep = call.node().int_attribute("keepdims", 1) != 0;
  const auto axes = call.ints(1, "axes");
  const bool none = !axes || axes->empty();
  if (none && call.node().int_attribute("noop_with_empty_axes", 0) != 0) return {in};
  std::vector<bool> reduced(in.dims.size(), none);
  if (!none) {
    for (const int64_t axis : *axes)
      reduced[static_cast<size_t>(call.axis(axis, in.dims.size()))] = true;
  }
  Dims kept = in.dims;
  Dims dims;
  double count = 1;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (reduced[i]) {
      count *= static_cast<double>(kept[i]);
      kept[i] = 1;
    }
    if (!reduced[i] || keep) dims.push_back(kept[i]);
  }
  const std::vector<double> values = to_doubles(in);
  std::vector<double> out(call.checked_count(kept), op.start);
  const std::vector<uint32_t> to = broadcast_indices(call, kept, in.dims);
  for (size_t i = 0; i < values.size(); ++i) out[to[i]] = op.add(out[to[i]], values[i]);
  if (op.finish != nullptr) {
    for (double& x : out) x = op.finish(x, count);
  }
  return {from_doubles(call, in.type, dims, out)};
}

std::vector<Tensor> cumulative_sum(const Call& call) {
  const Tensor& in = call.input(0);
  if (call.node().int_attribute("reverse", 0) != 0) call.unsupported("sums backwards");
  const bool exclusive = call.node().int_attribute("exclusive", 0) != 0;
  const auto axis =
      static_cast<size_t>(call.axis(static_cast<int64_t>(call.scalar(1)), in.dims.size()));
  size_t inner = 1;
  for (size_t i = axis + 1; i < in.dims.size(); ++i) inner *= static_cast<size_t>(in.dims[i]);
  const auto size = static_cast<size_t>(in.dims[axis]);
  const std::vector<double> values = to_doubles(in);
  std::vector<double> out(values.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const bool first = i / inner % size == 0;
    const double before = first ? 0 : out[i - inner] + (exclusive ? values[i - inner] : 0);
    out[i] = before + (exclusive ? 0 : values[i]);
  }
  return {from_doubles(call, in.type, in.dims, out)};
}

std::vector<Tensor> matmul(const Call& call) {
  const Tensor& a = call.input(0);
  const Tensor& b = call.input(1);
  if (a.dims.size() < 2 || b.dims.size() < 2) call.unsupported("multiplies by a vector");
  const int64_t m = a.dims[a.dims.size() - 2];
  const int64_t k = a.dims.back();
  const int64_t n = b.dims.back();
  if (b.dims[b.dims.size() - 2] != k) call.bad("has inputs whose shapes don't fit each other");
  const Dims batch_a(a.dims.begin(), a.dims.end() - 2);
  const Dims batch_b(b.dims.begin(), b.dims.end() - 2);
  const std::vector<Dims> both = {batch_a, batch_b};
  Dims dims = broadcast_dims(call, both);
  const std::vector<uint32_t> from_a = broadcast_indices(call, batch_a, dims);
  const std::vector<uint32_t> from_b = broadcast_indices(call, batch_b, dims);
  dims.push_back(m);
  dims.push_back(n);
  const std::vector<double> x = to_doubles(a);
  const std::vector<double> y = to_doubles(b);
  if (static_cast<double>(call.checked_count(dims)) * static_cast<double>(k) > 1e9) {
    call.unsupported("is too large a product to evaluate here");
  }
  std::vector<double> out(call.checked_count(dims), 0);
  const auto rows = static_cast<size_t>(m);
  const auto depth = static_cast<size_t>(k);
  const auto columns = static_cast<size_t>(n);
  for (size_t batch = 0; batch < from_a.size(); ++batch) {
    for (size_t i = 0; i < rows; ++i) {
      for (size_t p = 0; p < depth; ++p) {
        const double left = x[(from_a[batch] * rows + i) * depth + p];
        const double* right = &y[(from_b[batch] * depth + p) * columns];
        double* to = &out[(batch * rows + i) * columns];
        for (size_t j = 0; j < columns; ++j) to[j] += left * right[j];
      }
    }
  }
  return {from_doubles(call, a.type, dims, out)};
}

/// A sum of products over named axes, "i,j->ij" say; without "..." and repeated names in a term.
std::vector<Tensor> einsum(const Call& call) {
  const auto found = call.node().attributes.find("equation");
  const auto* given =
      found == call.node().attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
  std::string equation = given == nullptr ? "" : *given;
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) {
    call.unsupported("has an equation without an arrow, or with ...");
  }
  std::vector<std::string> terms = {""};
  for (const char letter : equation.substr(0, arrow)) {
    if (letter == ',') {
      terms.emplace_back();
    } else {
      terms.back() += letter;
    }
  }
  const std::string result = equation.substr(arrow + 2);
  if (terms.size() != call.input_count()) call.bad("has an equation for other inputs");
  std::map<char, int64_t> sizes;
  std::string axes = result;
  std::vector<std::vector<double>> values;
  for (size_t i = 0; i < terms.size(); ++i) {
    const Tensor& in = call.input(i);
    if (in.dims.size() != terms[i].size()) call.bad("has an equation for other ranks");
    for (size_t axis = 0; axis < terms[i].size(); ++axis) {
      const char name = terms[i][axis];
      if (terms[i].find(name, axis + 1) != std::string::npos) call.unsupported("takes a diagonal");
      if (sizes.try_emplace(name, in.dims[axis]).first->second != in.dims[axis]) {
        call.bad("has inputs whose shapes don't fit each other");
      }
      if (axes.find(name) == std::string::npos) axes += name;
    }
    values.push_back(to_doubles(in));
  }
  Dims dims;
  Dims all;
  for (const char name : axes) {
    if (!sizes.contains(name)) call.bad("has an axis in its result that no input has");
    all.push_back(sizes.at(name));
  }
  dims.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(result.size()));
  const size_t total = call.checked_count(all);
  std::vector<double> out(call.checked_count(dims), 0);
  const size_t summed = out.empty() ? 1 : total / out.size();
  for (size_t i = 0; i < total; ++i) {
    std::map<char, int64_t> at;
    auto rest = static_cast<int64_t>(i);
    for (size_t axis = axes.size(); axis-- > 0;) {
      at[axes[axis]] = rest % all[axis];
      rest /= all[axis];
    }
    double product = 1;
    for (size_t t = 0; t < terms.size(); ++t) {
      int64_t index = 0;
      for (const char name : terms[t]) index = index * sizes.at(name) + at.at(name);
      product *= values[t][static_cast<size_t>(index)];
    }
    out[i / summed] += product;
  }
  return {from_doubles(call, call.input(0).type, dims, out)};
}

/// Where the largest number along an axis is; of several the first, or the last.
std::vector<Tensor> arg_max(const Call& call) {
  const Tensor& in = call.input(0);
  const auto axis =
      static_cast<size_t>(call.axis(call.node().int_attribute("axis", 0), in.dims.size()));
  const bool last = call.node().int_attribute("select_last_index", 0) != 0;
  Dims dims = in.dims;
  const int64_t size = dims[axis];
  if (size == 0) call.bad("looks for the largest of nothing");
  dims[axis] = 1;
  int64_t inner = 1;
  for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  const std::vector<double> values = to_doubles(in);
  std::vector<int64_t> out(call.checked_count(dims));
  for (size_t i = 0; i < out.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t first = at / inner * inner * size + at % inner;
    const auto value = [&](int64_t k) { return values[static_cast<size_t>(first + k * inner)]; };
    for (int64_t k = 1; k < size; ++k) {
      if (value(k) > value(out[i]) || (last && value(k) == value(out[i]))) out[i] = k;
    }
  }
  if (call.node().int_attribute("keepdims", 1) == 0) {
    dims.erase(dims.begin() + static_cast<ptrdiff_t>(axis));
  }
  return {from_wide_ints(call, DataType::kInt64, dims, out)};
}

}  // namespace

Handler find_reduce(const std::string& op) {
  if (reductions().contains(op)) return reduce;
  static const std::map<std::string, Handler> kHandlers = {
      {"ArgMax", arg_max}, {"CumSum", cumulative_sum}, {"Einsum", einsum}, {"MatMul", matmul}};
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace embedforge::evaluation
