#include "tokenize/post/truncate.h"

#include <algorithm>
#include <vector>

namespace embedforge {
namespace {

template <class T>
void cut(std::vector<T>& values, size_t length, TruncationSide side) {
  const auto surplus = static_cast<std::ptrdiff_t>(values.size() - length);
  if (side == TruncationSide::kLeft) {
    values.erase(values.begin(), values.begin() + surplus);
  } else {
    values.erase(values.end() - surplus, values.end());
  }
}

}  // namespace

void truncate(Encoding& encoding, size_t length, TruncationSide side) {
  if (encoding.ids.size() <= length) return;
  cut(encoding.ids, length, side);
  cut(encoding.type_ids, length, side);
  cut(encoding.tokens, length, side);
  cut(encoding.offsets, length, side);
  cut(encoding.special, length, side);
}

std::pair<size_t, size_t> pair_lengths(size_t first, size_t second, size_t limit) {
  if (first + second <= limit) return {first, second};
  const bool swapped = first > second;
  size_t shorter = swapped ? second : first;
  size_t longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = shorter + limit % 2;
  }
  return swapped ? std::pair{longer, shorter} : std::pair{shorter, longer};
}

}  // namespace embedforge
