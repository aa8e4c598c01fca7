#include "kernels/amx/tiles.h"
#include "kernels/amx/units.h"
#include "kernels/avx512/vectors.h"
#include "kernels/tables.h"

namespace embedforge::kernels {
namespace {

void enter() noexcept {
  static constexpr TileConfig kConfig;
  _tile_loadconfig(&kConfig);
}

void leave() noexcept { _tile_release(); }

}  // namespace

KernelTable make_amx_table() {
  return {.name = "amx",
          .f32 = kAmxLinearF32,
          .bf16 = kAmxLinearBf16,
          .i8 = kAmxLinearI8,
          .norm = avx512_norm,
          .attention_workspace = amx_attention_workspace,
          .attention = amx_attention_f32,
          .attention_bf16 = amx_attention_bf16,
          .add = avx512_add,
          .gate = avx512_gate,
          .enter = enter,
          .leave = leave};
}

}  // namespace embedforge::kernels
