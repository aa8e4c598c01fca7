// Takes: a batch. Gives: tiles, groups of whole sequences that one thread (or one team) takes
// through the whole program. Never: splits a sequence.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/engine.h"

namespace embedforge {

struct TileSequence {
  size_t index;  // in the batch
  size_t first;  // token in the batch
  int row;       // in the tile
  int length;
};

struct Tile {
  std::vector<TileSequence> sequences;
  int rows = 0;
};

/// Longest sequences first, about `budget` tokens a tile, and at least as many tiles as threads
/// where the tokens suffice.
std::vector<Tile> make_tiles(const TokenBatch& batch, int budget, int threads);

}  // namespace embedforge
