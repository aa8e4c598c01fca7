// Takes: compiled operations and a tile. Gives: the hidden states of the tile's rows, in the
// workspace. Never: decides who runs what (see engine.cc); one thread runs a tile, or a team shares
// each step of it with the same result.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "base/threads.h"
#include "engine/aligned.h"
#include "engine/compile.h"
#include "engine/heads.h"
#include "engine/tile.h"

namespace embedforge {

/// With fewer rows for each member a team shares the columns of a layer, else its rows.
constexpr int kMemberRows = 24;

/// The threads that share a tile. Units of a step are split in whole; sync() waits for all of them.
struct Team {
  int index = 0;
  int count = 1;
  SpinBarrier* barrier = nullptr;

  void sync() const {
    if (count > 1) barrier->wait();
  }
  /// This member's part of [0, units).
  std::pair<int, int> part(int units) const {
    const auto bound = [&](int i) {
      return static_cast<int>(static_cast<long>(units) * i / count);
    };
    return {bound(index), bound(index + 1)};
  }
};

/// What a team shares: the values, and the rounded inner rows of feed-forward layers.
struct SharedSpace {
  std::vector<AlignedBuffer> slots;
  AlignedBuffer inner;
};

/// What each thread has for itself.
struct PrivateSpace {
  AlignedBuffer picked;  // input channels that stay float
  AlignedBuffer inner_picked;
  AlignedBuffer prepared;  // rounded rows of a layer's input
  AlignedBuffer inner;     // inner columns of a feed-forward layer, floats
  AlignedBuffer rounded;   // the same, rounded
  AlignedBuffer attention;
  std::vector<Angles> angles;  // of Compiled::rotaries

  size_t bytes() const {
    size_t turned = 0;
    for (const Angles& each : angles) turned += each.bytes();
    return turned + picked.size() + inner_picked.size() + prepared.size() + inner.size() +
           rounded.size() + attention.size();
  }
};

/// Runs all operations on the tile. Every member of the team calls it, with one SharedSpace and its
/// own PrivateSpace.
void execute(const Compiled& program, const kernels::KernelTable& table, const TokenBatch& batch,
             const Tile& tile, const Team& team, SharedSpace& shared, PrivateSpace& own);

/// Makes room in `shared` for a tile and a team; called by one thread before execute().
void reserve(const Compiled& program, const Tile& tile, int members, SharedSpace& shared);

}  // namespace embedforge
