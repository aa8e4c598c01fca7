#include "kernels/amx/tiles.h"

#include "kernels/amx/units.h"

namespace embedforge::kernels {

void amx_enter() noexcept {
  static constexpr TileConfig kConfig;
  _tile_loadconfig(&kConfig);
}

void amx_leave() noexcept { _tile_release(); }

}  // namespace embedforge::kernels
