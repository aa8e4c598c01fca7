// Takes: attention and head steps and where their values lie. Gives: heads normalized and rotated,
// and one head's arguments for the attention kernels. Never: knows about tiles or threads.
#pragma once

#include <cstddef>

#include "engine/aligned.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// Cosines and sines of a rotary embedding for the positions that were needed so far.
class Angles {
 public:
  /// Has them for positions [0, positions).
  void reserve(const Rotary& rotary, int positions);
  const float* cosines(int position) const { return at(position, 0); }
  const float* sines(int position) const { return at(position, pairs_); }
  size_t bytes() const { return values_.size(); }

 private:
  const float* at(int position, size_t offset) const {
    return values_.floats() + static_cast<size_t>(position) * 2 * pairs_ + offset;
  }
  AlignedBuffer values_;  // [positions][cosines, sines][pairs]
  size_t pairs_ = 0;
  int positions_ = 0;
};

/// Changes the heads of `rows` tokens in place, the first of which is at `position`.
void change_heads(const HeadsStep& step, const kernels::KernelTable& table, const Angles& angles,
                  float* x, size_t stride, int rows, int position);

/// Rows of a value: the first row of a sequence, and floats between rows.
struct ValueRows {
  float* first = nullptr;
  size_t stride = 0;
};

/// Head `head` of a sequence of `length` tokens; workspace is left to the caller.
kernels::AttentionArgs attention_args(const AttentionStep& step, int64_t head, int length,
                                      ValueRows q, ValueRows k, ValueRows v, ValueRows out);

}  // namespace embedforge
