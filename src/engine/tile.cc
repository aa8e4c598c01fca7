#include "engine/tile.h"

#include <algorithm>
#include <numeric>

namespace embedforge {

std::pair<int, int> wanted_range(Rows wanted, int length) {
  switch (wanted) {
    case Rows::kFirst:
      return {0, 1};
    case Rows::kLast:
      return {length - 1, length};
    case Rows::kAll:
      break;
  }
  return {0, length};
}

Tile wanted_rows(const Tile& tile) {
  Tile out;
  for (TileSequence s : tile.sequences) {
    const auto [begin, end] = wanted_range(tile.wanted, s.length);
    s.row = out.rows;
    s.length = end - begin;
    out.rows += s.length;
    out.sequences.push_back(s);
  }
  return out;
}

std::vector<Tile> make_tiles(const TokenBatch& batch, Rows wanted, int budget, int threads) {
  std::vector<size_t> order(batch.sequences());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto length = [&](size_t i) { return batch.offsets[i + 1] - batch.offsets[i]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return length(a) > length(b); });
  const auto team = static_cast<size_t>(threads);
  size_t count = (batch.ids.size() + static_cast<size_t>(budget) - 1) / static_cast<size_t>(budget);
  count = std::max<size_t>(1, (count + team - 1) / team * team);
  const size_t target = (batch.ids.size() + count - 1) / count;
  std::vector<Tile> tiles;
  for (const size_t i : order) {
    if (length(i) == 0) continue;
    const auto n = static_cast<int>(length(i));
    const bool full =
        !tiles.empty() && tiles.back().rows + n > std::max(static_cast<int>(target), 16) &&
        (tiles.back().rows >= static_cast<int>(target) || tiles.back().rows + n > budget ||
         tiles.back().rows + n / 2 > static_cast<int>(target));
    if (tiles.empty() || full) tiles.push_back({.wanted = wanted});
    Tile& tile = tiles.back();
    tile.sequences.push_back({i, batch.offsets[i], tile.rows, n});
    tile.rows += n;
  }
  return tiles;
}

}  // namespace embedforge
