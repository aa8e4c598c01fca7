// Takes: compiled operations and a tile. Gives: the hidden states of the tile's rows, in the
// workspace. Never: decides who runs what (see engine.cc); one thread runs a tile, or a team shares
// each step of it with the same result.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/threads.h"
#include "base/token_batch.h"
#include "engine/compile.h"
#include "engine/heads.h"
#include "engine/tile.h"

namespace embedforge {

/// With fewer rows for each member a team shares the columns of a layer, else its rows.
constexpr size_t kMemberRows = 24;

/// The threads that share a tile. Units of a step are split in whole; sync() waits for all of them.
struct Team {
  size_t index = 0;
  size_t count = 1;
  SpinBarrier* barrier = nullptr;

  void sync() const {
    if (count > 1) barrier->wait();
  }
  /// This member's part of [0, units).
  std::pair<size_t, size_t> part(size_t units) const {
    return {units * index / count, units * (index + 1) / count};
  }
};

/// What a team shares: the values, and the inner rows of feed-forward layers.
struct SharedSpace {
  std::vector<AlignedBuffer> slots;
  AlignedBuffer inner;

  /// Makes room for a tile and a team; called by one thread before execute().
  void reserve(const Compiled& program, const Tile& tile, size_t members);
  /// A value's rows.
  Rows value(const Compiled& program, ValueId v, size_t rows) const;
  size_t bytes() const;
};

/// What each thread has for itself.
struct PrivateSpace {
  InputSpace input;        // of a layer
  AlignedBuffer inner;     // inner columns of a feed-forward layer
  InputSpace inner_input;  // the same, as the second layer takes them
  AlignedBuffer attention;
  std::vector<Angles> angles;  // of Compiled::rotaries

  size_t bytes() const;
};

/// Loads the thread's tile registers for as long as it computes.
class Entered {
 public:
  explicit Entered(const kernels::KernelTable& table) : table_(table) {
    if (table_.enter != nullptr) table_.enter();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() {
    if (table_.leave != nullptr) table_.leave();
  }

 private:
  const kernels::KernelTable& table_;
};

/// Errors: kBadInput for an id outside the vocabulary or a sequence longer than the model's
/// positions.
void check_batch(const Compiled& program, const TokenBatch& batch);

/// What runs: a program's operations, or some of them, on a tile of the batch.
struct Run {
  const Compiled& program;
  const kernels::KernelTable& table;
  const TokenBatch& batch;
  const Tile& tile;
  SharedSpace& shared;
};

/// Runs these operations. Every member of the team calls it, with its own PrivateSpace.
void execute(const Run& run, std::span<const Op> ops, const Team& team, PrivateSpace& own);

/// A layer by itself, from other rows than the value that it reads.
void execute(const Run& run, const LinearOp& layer, const Rows& in, ValueId out, const Team& team,
             PrivateSpace& own);

}  // namespace embedforge
