#include "engine/tile.h"

#include <algorithm>
#include <numeric>

namespace embedforge {

void Tile::add(const TokenBatch& batch, size_t i) {
  sequences.push_back({i, batch.offsets[i], rows, batch.length(i)});
  rows += batch.length(i);
}

std::pair<size_t, size_t> wanted_range(Wanted wanted, size_t length) {
  switch (wanted) {
    case Wanted::kFirst:
      return {0, 1};
    case Wanted::kLast:
      return {length - 1, length};
    case Wanted::kAll:
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

std::vector<Tile> make_tiles(const TokenBatch& batch, Wanted wanted, size_t budget,
                             size_t threads) {
  std::vector<size_t> order(batch.sequences());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return batch.length(a) > batch.length(b); });
  size_t count = (batch.ids.size() + budget - 1) / budget;
  count = std::max<size_t>(1, (count + threads - 1) / threads * threads);
  const size_t target = (batch.ids.size() + count - 1) / count;
  std::vector<Tile> tiles;
  for (const size_t i : order) {
    const size_t n = batch.length(i);
    if (n == 0) continue;
    const size_t rows = tiles.empty() ? 0 : tiles.back().rows;
    const bool full = rows + n > std::max<size_t>(target, 16) &&
                      (rows >= target || rows + n > budget || rows + n / 2 > target);
    if (tiles.empty() || full) tiles.push_back({.wanted = wanted});
    tiles.back().add(batch, i);
  }
  return tiles;
}

}  // namespace embedforge
