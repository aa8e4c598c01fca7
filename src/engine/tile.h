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
  size_t row;    // in the tile
  size_t length;
};

/// The tokens of a sequence that its vector is made from.
enum class Wanted { kAll, kFirst, kLast };

struct Tile {
  std::vector<TileSequence> sequences;
  size_t rows = 0;
  Wanted wanted = Wanted::kAll;

  /// The i-th sequence of the batch, after those that are there.
  void add(const TokenBatch& batch, size_t i);
};

/// The wanted tokens of a sequence, [first, second).
std::pair<size_t, size_t> wanted_range(Wanted wanted, size_t length);

/// The tile of the wanted rows alone, one after another.
Tile wanted_rows(const Tile& tile);

/// Longest sequences first, about `budget` tokens a tile, and at least as many tiles as threads
/// where the tokens suffice.
std::vector<Tile> make_tiles(const TokenBatch& batch, Wanted wanted, size_t budget, size_t threads);

}  // namespace embedforge
