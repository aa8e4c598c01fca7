// Takes: pointers and sizes. Gives: one operation of the encoder, computed by one instruction set.
// Never: allocates, throws or looks at the processor. Chosen once by select.h; pack layouts belong
// to the table.
//
// Matrices are row-major floats unless said otherwise; a stride counts elements between rows. Rows
// are tokens.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/activation.h"

namespace embedforge::kernels {

using Act = Activation;

/// A weight as it is given to pack(): w(k, n) = float, or scales[n] * (q - zero_points[n]) with q
/// int8 or uint8.
struct WeightView {
  int k = 0, n = 0;
  const float* values = nullptr;  // [k, n] with strides
  const int8_t* q =
      nullptr;  // [k, n] with strides; zero point taken off, so that w = scales[n] * q
  ptrdiff_t stride_k = 0, stride_n = 0;  // elements
  const float* scales = nullptr;         // n, with q
};

/// out[r, n] = act(sum_k a[r, k] * w(k, n) + bias[n] + add[r, n]) for columns [column_begin,
/// column_end).
struct LinearArgs {
  const std::byte* a =
      nullptr;          // rows as prepare() made them; plain float rows when prepare is null
  size_t a_stride = 0;  // bytes between row blocks
  const std::byte* weight = nullptr;
  int rows = 0, k = 0;
  int column_begin = 0, column_end = 0;  // begin is a multiple of column_block
  const float* bias = nullptr;           // by column, or null
  const float* add = nullptr;            // [rows, n], or null; may be `out`
  size_t add_stride = 0;
  /// 8-bit layers only: channels that are multiplied as floats beside the integers, in pairs (zeros
  /// fill the last): out += sum_j floats[r, j] * float_weight[j, n] before act.
  const float* floats = nullptr;        // [rows, float_channels], or null
  const float* float_weight = nullptr;  // [float_channels, float_stride]
  int float_channels = 0;               // a multiple of kFloatGroup
  size_t float_stride = 0;              // n rounded up to kFloatColumns
  Act act = Act::kNone;
  float* out = nullptr;
  size_t out_stride = 0;
};

/// The float rows [rows, k] that enter a linear layer.
struct InputRows {
  const float* x = nullptr;
  size_t stride = 0;
  int rows = 0, k = 0;
  const float* channel_scale = nullptr;  // 8-bit layers: what each channel is multiplied by first
};

constexpr int kFloatGroup = 2;
constexpr int kFloatColumns = 64;  // columns past n are readable zeros

/// One way to compute a linear layer. A prepared activation is a sequence of row blocks of
/// block_bytes(k) each.
struct LinearKernel {
  int row_block = 1;     // rows of a prepared block; buffers are rounded up to it
  int column_block = 1;  // columns of a packed panel
  size_t (*block_bytes)(int k) noexcept = nullptr;
  size_t (*weight_bytes)(int k, int n) noexcept = nullptr;
  void (*pack)(const WeightView& weight, std::byte* out) noexcept = nullptr;
  /// Rounds rows of x into blocks; rows that fill up the last block are zero. Null: run() takes
  /// float rows.
  void (*prepare)(const InputRows& x, std::byte* out) noexcept = nullptr;
  void (*run)(const LinearArgs& args) noexcept = nullptr;
};

/// out[r] = gamma * (v - mean) / sqrt(var + epsilon) + beta with v = x[r] (+ add[r]); RMS: no mean,
/// beta may be null.
struct NormArgs {
  const float* x = nullptr;
  size_t x_stride = 0;
  const float* add = nullptr;  // or null
  size_t add_stride = 0;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
  bool rms = false;
  int rows = 0, width = 0;
  float* out = nullptr;  // may be x
  size_t out_stride = 0;
};

/// One head of one sequence: out[i] = sum_j softmax_j(scale * q_i k_j + bias(j - i)) v_j for query
/// rows [begin, end).
struct AttentionArgs {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  size_t q_stride = 0, kv_stride = 0;
  int length = 0, head_size = 0;
  int begin = 0, end = 0;
  float scale = 1;
  bool causal = false;
  int window = -1;  // |i - j| <= window; -1: all
  const float* relative_bias =
      nullptr;  // points at distance 0: bias = relative_bias[clamp(j - i, -span + 1, span - 1)]
  int bias_span = 0;
  std::byte* workspace = nullptr;  // attention_workspace(length, head_size) bytes, 64-byte aligned
  float* out = nullptr;
  size_t out_stride = 0;
};

/// Heads of one token turned in place: pair i of each head, (a, b), becomes
/// (a cos[i] - b sin[i], b cos[i] + a sin[i]).
struct RotateArgs {
  float* x = nullptr;
  size_t stride = 0;  // between heads
  int heads = 0;
  int pairs = 0;
  bool interleaved = false;  // pair i is channels 2 i and 2 i + 1; else i and i + pairs
  const float* cos = nullptr;
  const float* sin = nullptr;
};

struct KernelTable {
  const char* name = "";
  LinearKernel f32;  // activations and sums to float accuracy (1e-5 relative or better)
  LinearKernel
      bf16;  // products of bfloat16 values, float sums; run is null where the processor has none
  LinearKernel i8;  // u8 activations with a scale and zero point per row, s8 weights with a scale
                    // per column, exact sums
  void (*norm)(const NormArgs& args) noexcept = nullptr;
  size_t (*attention_workspace)(int length, int head_size) noexcept = nullptr;
  void (*attention)(const AttentionArgs& args) noexcept = nullptr;
  /// The same in 16-bit integers (floats beyond 1024 tokens), for models with 8-bit layers: every
  /// table but the reference gives the same bits.
  void (*attention_i16)(const AttentionArgs& args) noexcept = nullptr;
  /// The same to bfloat16 accuracy or better, for models with bfloat16 layers.
  void (*attention_bf16)(const AttentionArgs& args) noexcept = nullptr;
  /// out = a + b
  void (*add)(const float* a, const float* b, float* out, size_t count) noexcept = nullptr;
  /// out = act(gate) * up
  void (*gate)(const float* gate, const float* up, Act act, float* out,
               size_t count) noexcept = nullptr;
  void (*rotate)(const RotateArgs& args) noexcept = nullptr;
  /// Prepares the calling thread (AMX: loads the tile shapes); null: nothing to do. leave() undoes
  /// it.
  void (*enter)() noexcept = nullptr;
  void (*leave)() noexcept = nullptr;
};

}  // namespace embedforge::kernels
