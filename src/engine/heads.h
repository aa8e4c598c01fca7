// Takes: attention and head steps and where their values lie. Gives: heads normalized and rotated,
// and one head's arguments for the attention kernels. Never: knows about tiles or threads.
#pragma once

#include <cstddef>

#include "engine/rows.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// Cosines and sines of a rotary embedding for the positions that were needed so far.
class Angles {
 public:
  /// Has them for positions [0, positions).
  void reserve(const Rotary& rotary, size_t positions);
  const float* cosines(size_t position) const { return values_.floats() + position * 2 * pairs_; }
  const float* sines(size_t position) const { return cosines(position) + pairs_; }
  size_t bytes() const { return values_.size(); }

 private:
  AlignedBuffer values_;  // [positions][cosines, sines][pairs]
  size_t pairs_ = 0;
  size_t positions_ = 0;
};

/// Changes the heads of these tokens in place, the first of which is at `position`.
void change_heads(const HeadsStep& step, const kernels::KernelTable& table, const Angles& angles,
                  const Rows& rows, size_t position);

/// Head `head` of a sequence, of whose tokens the rows are; workspace is left to the caller.
kernels::AttentionArgs attention_args(const AttentionStep& step, size_t head, const Rows& q,
                                      const Rows& k, const Rows& v, const Rows& out);

}  // namespace embedforge
