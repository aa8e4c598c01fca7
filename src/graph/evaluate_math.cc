// Elementwise operators. Floats are computed in double, integers in int64.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "graph/evaluate_call.h"

namespace embedforge::evaluation {
namespace {

using RealUnary = double (*)(double);
using RealBinary = double (*)(double, double);
using WholeBinary = int64_t (*)(int64_t, int64_t);

struct Binary {
  RealBinary real = nullptr;
  WholeBinary whole = nullptr;
  bool gives_bool = false;
};

int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }
uint64_t bits(int64_t value) { return static_cast<uint64_t>(value); }

int64_t divide(int64_t a, int64_t b) {  // ONNX leaves x / 0 open
  if (b == 0) return 0;
  return b == -1 ? wrap(0 - bits(a)) : a / b;
}

int64_t modulo(int64_t a, int64_t b) {  // the sign of the divisor
  if (b == 0 || b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t power(int64_t a, int64_t b) { return static_cast<int64_t>(std::pow(a, b)); }

const std::map<std::string, Binary>& binaries() {
  static const std::map<std::string, Binary> kBinaries = {
      {"Add",
       {[](double a, double b) { return a + b; },
        [](int64_t a, int64_t b) { return wrap(bits(a) + bits(b)); }}},
      {"Sub",
       {[](double a, double b) { return a - b; },
        [](int64_t a, int64_t b) { return wrap(bits(a) - bits(b)); }}},
      {"Mul",
       {[](double a, double b) { return a * b; },
        [](int64_t a, int64_t b) { return wrap(bits(a) * bits(b)); }}},
      {"Div", {[](double a, double b) { return a / b; }, divide}},
      {"Mod", {[](double a, double b) { return std::fmod(a, b); }, modulo}},
      {"Pow", {[](double a, double b) { return std::pow(a, b); }, power}},
      {"Min",
       {[](double a, double b) { return std::min(a, b); },
        [](int64_t a, int64_t b) { return std::min(a, b); }}},
      {"Max",
       {[](double a, double b) { return std::max(a, b); },
        [](int64_t a, int64_t b) { return std::max(a, b); }}},
      {"And", {nullptr, [](int64_t a, int64_t b) { return int64_t{a != 0 && b != 0}; }, true}},
      {"Or", {nullptr, [](int64_t a, int64_t b) { return int64_t{a != 0 || b != 0}; }, true}},
      {"Xor", {nullptr, [](int64_t a, int64_t b) { return int64_t{(a != 0) != (b != 0)}; }, true}},
      {"BitwiseAnd", {nullptr, [](int64_t a, int64_t b) { return a & b; }}},
      {"BitwiseOr", {nullptr, [](int64_t a, int64_t b) { return a | b; }}},
      {"Equal",
       {[](double a, double b) { return a == b ? 1.0 : 0.0; },
        [](int64_t a, int64_t b) { return int64_t{a == b}; }, true}},
      {"Greater",
       {[](double a, double b) { return a > b ? 1.0 : 0.0; },
        [](int64_t a, int64_t b) { return int64_t{a > b}; }, true}},
      {"GreaterOrEqual",
       {[](double a, double b) { return a >= b ? 1.0 : 0.0; },
        [](int64_t a, int64_t b) { return int64_t{a >= b}; }, true}},
      {"Less",
       {[](double a, double b) { return a < b ? 1.0 : 0.0; },
        [](int64_t a, int64_t b) { return int64_t{a < b}; }, true}},
      {"LessOrEqual",
       {[](double a, double b) { return a <= b ? 1.0 : 0.0; },
        [](int64_t a, int64_t b) { return int64_t{a <= b}; }, true}}};
  return kBinaries;
}

const std::map<std::string, RealUnary>& unaries() {
  static const std::map<std::string, RealUnary> kUnaries = {
      {"Abs", [](double x) { return std::fabs(x); }},
      {"Ceil", [](double x) { return std::ceil(x); }},
      {"Cos", [](double x) { return std::cos(x); }},
      {"Erf", [](double x) { return std::erf(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Floor", [](double x) { return std::floor(x); }},
      {"Log", [](double x) { return std::log(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Reciprocal", [](double x) { return 1 / x; }},
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"Round", [](double x) { return std::nearbyint(x); }},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Sign", [](double x) { return x > 0   ? 1.0
                                     : x < 0 ? -1.0
                                             : 0.0; }},
      {"Sin", [](double x) { return std::sin(x); }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},
      {"Tanh", [](double x) { return std::tanh(x); }}};
  return kUnaries;
}

Tensor apply(const Call& call, const Binary& op, const Tensor& a, const Tensor& b) {
  if (a.type != b.type && call.node().op_type != "Pow") call.bad("mixes two element types");
  const std::vector<Dims> both = {a.dims, b.dims};
  const Dims dims = broadcast_dims(call, both);
  const std::vector<uint32_t> from_a = broadcast_indices(call, a.dims, dims);
  const std::vector<uint32_t> from_b = broadcast_indices(call, b.dims, dims);
  const DataType type = op.gives_bool ? DataType::kBool : a.type;
  if (is_integer(a.type) && is_integer(b.type)) {
    const std::vector<int64_t> x = to_ints(a);
    const std::vector<int64_t> y = to_ints(b);
    std::vector<int64_t> out(from_a.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = op.whole(x[from_a[i]], y[from_b[i]]);
    return from_wide_ints(call, type, dims, out);
  }
  if (op.real == nullptr) call.bad("needs integers");
  const std::vector<double> x = to_doubles(a);
  const std::vector<double> y = to_doubles(b);
  std::vector<double> out(from_a.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = op.real(x[from_a[i]], y[from_b[i]]);
  return from_doubles(call, type, dims, out);
}

std::vector<Tensor> binary(const Call& call) {
  const Binary& op = binaries().at(call.node().op_type);
  Tensor out = call.input(0);  // Min and Max take any number
  for (size_t i = 1; i < call.input_count(); ++i) out = apply(call, op, out, call.input(i));
  return {out};
}

std::vector<Tensor> unary(const Call& call) {
  const Tensor& in = call.input(0);
  const RealUnary op = unaries().at(call.node().op_type);
  std::vector<double> values = to_doubles(in);
  std::transform(values.begin(), values.end(), values.begin(), op);
  return {from_doubles(call, in.type, in.dims, values)};
}

std::vector<Tensor> test(const Call& call) {  // IsNaN, IsInf
  const bool nan = call.node().op_type == "IsNaN";
  const Tensor& in = call.input(0);
  std::vector<double> values = to_doubles(in);
  for (double& x : values) x = (nan ? std::isnan(x) : std::isinf(x)) ? 1 : 0;
  return {from_doubles(call, DataType::kBool, in.dims, values)};
}

std::vector<Tensor> logical_not(const Call& call) {
  std::vector<int64_t> values = to_ints(call.input(0));
  for (int64_t& x : values) x = x == 0 ? 1 : 0;
  return {from_wide_ints(call, DataType::kBool, call.input(0).dims, values)};
}

std::vector<Tensor> clip(const Call& call) {
  const Tensor& in = call.input(0);
  constexpr float kMost = std::numeric_limits<float>::max();
  double low = call.node().float_attribute("min", -kMost);
  double high = call.node().float_attribute("max", kMost);
  if (call.opset() >= 11) {
    low = -std::numeric_limits<double>::infinity();
    high = std::numeric_limits<double>::infinity();
  }
  if (call.has(1)) low = call.scalar(1);
  if (call.has(2)) high = call.scalar(2);
  std::vector<double> values = to_doubles(in);
  for (double& x : values) x = std::min(std::max(x, low), high);
  return {from_doubles(call, in.type, in.dims, values)};
}

Tensor cast_to(const Call& call, const Tensor& in, DataType type) {
  if (type == in.type) return in;
  if (element_size(type) == 0) call.unsupported("casts to text");
  if (is_integer(in.type)) return from_wide_ints(call, type, in.dims, to_ints(in));
  return from_doubles(call, type, in.dims, to_doubles(in));
}

std::vector<Tensor> cast(const Call& call) {
  const int64_t to = call.node().int_attribute("to", 0);
  if (to < 1 || to > 16 || !is_known_type(static_cast<int32_t>(to))) {
    call.unsupported("casts to type " + std::to_string(to) + " of onnx.proto");
  }
  return {cast_to(call, call.input(0), static_cast<DataType>(to))};
}

std::vector<Tensor> cast_like(const Call& call) {
  return {cast_to(call, call.input(0), call.input(1).type)};
}

/// Real = scale * (q - zero point), per tensor or along `axis`.
std::vector<Tensor> dequantize(const Call& call) {
  const Tensor& in = call.input(0);
  const Tensor& scale = call.input(1);
  std::vector<double> values = to_doubles(in);
  const std::vector<double> scales = to_doubles(scale);
  const std::vector<double> zeros =
      call.has(2) ? to_doubles(call.input(2)) : std::vector<double>(scales.size(), 0);
  size_t inner = values.empty() ? 1 : values.size();
  if (scales.size() != 1) {
    const auto axis =
        static_cast<size_t>(call.axis(call.node().int_attribute("axis", 1), in.dims.size()));
    if (scale.dims.size() != 1 || in.dims[axis] != scale.dims[0])
      call.unsupported("is quantized in blocks");
    inner = 1;
    for (size_t i = axis + 1; i < in.dims.size(); ++i) inner *= static_cast<size_t>(in.dims[i]);
  }
  if (zeros.size() != scales.size() || scales.empty())
    call.bad("has zero points that don't fit its scales");
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t at = i / inner % scales.size();
    values[i] = scales[at] * (values[i] - zeros[at]);
  }
  return {from_doubles(call, scale.type, in.dims, values)};
}

}  // namespace

Handler find_math(const std::string& op) {
  if (binaries().contains(op)) return binary;
  if (unaries().contains(op)) return unary;
  static const std::map<std::string, Handler> kHandlers = {
      {"Cast", cast},      {"CastLike", cast_like},
      {"Clip", clip},      {"DequantizeLinear", dequantize},
      {"IsInf", test},     {"IsNaN", test},
      {"Not", logical_not}};
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace embedforge::evaluation
