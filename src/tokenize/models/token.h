// What a model makes of one piece.
#pragma once

#include <cstdint>

namespace embedforge {

/// Bytes [begin, end) of the piece.
struct Token {
  int32_t id;
  uint32_t begin;
  uint32_t end;
};

}  // namespace embedforge
