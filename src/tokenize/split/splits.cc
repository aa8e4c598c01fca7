#include "tokenize/split/splits.h"

namespace embedforge {

void append_splits(const Pieces& in, const std::vector<Run>& runs, SplitBehavior behavior,
                   std::vector<Piece>& out) {
  const auto add = [&](uint32_t begin, uint32_t end) {
    if (begin < end) out.push_back({begin, end, in.base_at(begin), kNoToken});
  };
  switch (behavior) {
    case SplitBehavior::kRemoved:
      for (const Run& run : runs) {
        if (!run.match) add(run.begin, run.end);
      }
      return;
    case SplitBehavior::kIsolated:
      for (const Run& run : runs) add(run.begin, run.end);
      return;
    case SplitBehavior::kContiguous:
      for (size_t i = 0; i < runs.size();) {
        size_t j = i + 1;
        while (j < runs.size() && runs[j].match == runs[i].match) ++j;
        add(runs[i].begin, runs[j - 1].end);
        i = j;
      }
      return;
    case SplitBehavior::kMergedWithPrevious:
      for (size_t i = 0; i < runs.size(); ++i) {
        const bool takes_next = !runs[i].match && i + 1 < runs.size() && runs[i + 1].match;
        add(runs[i].begin, takes_next ? runs[i + 1].end : runs[i].end);
        if (takes_next) ++i;
      }
      return;
    case SplitBehavior::kMergedWithNext:
      for (size_t i = 0; i < runs.size(); ++i) {
        const bool takes_next = runs[i].match && i + 1 < runs.size() && !runs[i + 1].match;
        add(runs[i].begin, takes_next ? runs[i + 1].end : runs[i].end);
        if (takes_next) ++i;
      }
      return;
  }
}

}  // namespace embedforge
