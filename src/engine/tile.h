// Takes: a batch. Gives: tiles, groups of whole sequences that one thread (or one team) takes
// through the whole program. Never: splits a sequence.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/token_batch.h"

namespace embedforge {

struct TileSequence {
  size_t index;  // in the batch
  size_t first;  // token in the batch
  int row;       // in the tile
  int length;
};

/// The tokens of a sequence that its vector is made from.
enum class Rows { kAll, kFirst, kLast };

struct Tile {
  std::vector<TileSequence> sequences;
  int rows = 0;
  Rows wanted = Rows::kAll;
};

/// The wanted tokens of a sequence, [first, second).
std::pair<int, int> wanted_range(Rows wanted, int length);

/// The tile of the wanted rows alone, one after another.
Tile wanted_rows(const Tile& tile);

/// Longest sequences first, about `budget` tokens a tile, and at least as many tiles as threads
/// where the tokens suffice.
std::vector<Tile> make_tiles(const TokenBatch& batch, Rows wanted, int budget, int threads);

}  // namespace embedforge
