// The plain linear layers that every other table is tested against. Weights are kept as [k][n].
#include <cmath>

#include "kernels/reference/plain.h"

namespace embedforge::kernels::reference {
namespace {

float activated(Act act, float x) {
  switch (act) {
    case Act::kGelu:
      return 0.5F * x * (1.0F + std::erf(x * 0.70710678F));
    case Act::kGeluTanh:
      return 0.5F * x * (1.0F + std::tanh(0.79788456F * (x + 0.044715F * x * x * x)));
    case Act::kRelu:
      return x > 0 ? x : 0;
    case Act::kSilu:
      return x / (1.0F + std::exp(-x));
    case Act::kTanh:
      return std::tanh(x);
    case Act::kSigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case Act::kNone:
      break;
  }
  return x;
}

void finish(const LinearArgs& args, int r, int n, float value) {
  const auto row = static_cast<size_t>(r);
  if (args.bias != nullptr) value += args.bias[n];
  if (args.add != nullptr) value += args.add[row * args.add_stride + n];
  args.out[row * args.out_stride + n] = activated(args.act, value);
}

float weight_at(const WeightView& w, int k, int n) {
  const ptrdiff_t at = k * w.stride_k + n * w.stride_n;
  return w.values != nullptr ? w.values[at] : w.scales[n] * w.q[at];
}

/// The nearest bfloat16 (ties to even), as a float.
float to_bf16(float x) {
  uint32_t bits = 0;
  __builtin_memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

size_t float_weight_bytes(int k, int n) noexcept {
  return (static_cast<size_t>(k) * n + 1) * sizeof(float);
}

template <bool kBf16>
void pack_floats(const WeightView& w, std::byte* bytes) noexcept {
  auto* out = reinterpret_cast<float*>(bytes);
  *out++ = static_cast<float>(w.n);
  for (int k = 0; k < w.k; ++k) {
    for (int n = 0; n < w.n; ++n) *out++ = kBf16 ? to_bf16(weight_at(w, k, n)) : weight_at(w, k, n);
  }
}

template <bool kBf16>
void run_floats(const LinearArgs& args) noexcept {
  const auto* weight = reinterpret_cast<const float*>(args.weight);
  const int width = static_cast<int>(*weight++);
  for (int r = 0; r < args.rows; ++r) {
    const auto* a = reinterpret_cast<const float*>(args.a + static_cast<size_t>(r) * args.a_stride);
    for (int n = args.column_begin; n < args.column_end; ++n) {
      float sum = 0;
      for (int k = 0; k < args.k; ++k) {
        sum += (kBf16 ? to_bf16(a[k]) : a[k]) * weight[static_cast<size_t>(k) * width + n];
      }
      finish(args, r, n, sum);
    }
  }
}

/// Packed int8: n, then scales [n], column sums [n] and q [k][n].
size_t i8_weight_bytes(int k, int n) noexcept {
  return sizeof(float) * (2 * static_cast<size_t>(n) + 1) + static_cast<size_t>(k) * n;
}

void i8_pack(const WeightView& w, std::byte* bytes) noexcept {
  auto* head = reinterpret_cast<float*>(bytes);
  head[0] = static_cast<float>(w.n);
  float* scales = head + 1;
  float* sums = scales + w.n;
  auto* q = reinterpret_cast<int8_t*>(sums + w.n);
  for (int n = 0; n < w.n; ++n) {
    int32_t sum = 0;
    for (int k = 0; k < w.k; ++k) {
      const int8_t value = w.q[k * w.stride_k + n * w.stride_n];
      q[static_cast<size_t>(k) * w.n + n] = value;
      sum += value;
    }
    scales[n] = w.scales[n];
    sums[n] = w.scales[n] * static_cast<float>(sum);
  }
}

/// A prepared row: scale, offset, then k bytes.
size_t i8_block_bytes(int k) noexcept {
  return 2 * sizeof(float) + (static_cast<size_t>(k) + 3) / 4 * 4;
}

void i8_prepare(const InputRows& in, std::byte* out) noexcept {
  for (int r = 0; r < in.rows; ++r, out += i8_block_bytes(in.k)) {
    const float* row = in.x + static_cast<size_t>(r) * in.stride;
    const auto value = [&](int i) {
      return in.channel_scale == nullptr ? row[i] : row[i] * in.channel_scale[i];
    };
    float low = value(0);
    float high = value(0);
    for (int i = 0; i < in.k; ++i) {
      low = value(i) < low ? value(i) : low;
      high = value(i) > high ? value(i) : high;
    }
    auto* head = reinterpret_cast<float*>(out);
    head[0] = (high - low) / 255.0F;
    head[1] = low;
    const float inverse = head[0] > 0 ? 1.0F / head[0] : 0.0F;
    auto* q = reinterpret_cast<uint8_t*>(head + 2);
    for (int i = 0; i < in.k; ++i) {
      const float steps = std::nearbyint((value(i) - low) * inverse);
      q[i] = static_cast<uint8_t>(steps > 255 ? 255 : steps);
    }
  }
}

void i8_run(const LinearArgs& args) noexcept {
  const auto* head = reinterpret_cast<const float*>(args.weight);
  const int width = static_cast<int>(*head);
  const float* scales = head + 1;
  const float* sums = scales + width;
  const auto* w = reinterpret_cast<const int8_t*>(sums + width);
  for (int r = 0; r < args.rows; ++r) {
    const auto* a = reinterpret_cast<const float*>(args.a + static_cast<size_t>(r) * args.a_stride);
    const auto* q = reinterpret_cast<const uint8_t*>(a + 2);
    for (int n = args.column_begin; n < args.column_end; ++n) {
      int32_t sum = 0;
      for (int k = 0; k < args.k; ++k) sum += q[k] * w[static_cast<size_t>(k) * width + n];
      float value = a[0] * (scales[n] * static_cast<float>(sum)) + a[1] * sums[n];
      for (int j = 0; j < args.float_channels; ++j) {
        value += args.floats[static_cast<size_t>(r) * args.float_channels + j] *
                 args.float_weight[j * args.float_stride + n];
      }
      finish(args, r, n, value);
    }
  }
}

}  // namespace

const LinearKernel kF32 = {
    .weight_bytes = float_weight_bytes, .pack = pack_floats<false>, .run = run_floats<false>};
const LinearKernel kBf16 = {
    .weight_bytes = float_weight_bytes, .pack = pack_floats<true>, .run = run_floats<true>};
const LinearKernel kI8 = {.block_bytes = i8_block_bytes,
                          .weight_bytes = i8_weight_bytes,
                          .pack = i8_pack,
                          .prepare = i8_prepare,
                          .run = i8_run};

void gate(const float* gate, const float* up, Act act, float* out, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = activate(act, gate[i]) * up[i];
}

}  // namespace embedforge::kernels::reference
