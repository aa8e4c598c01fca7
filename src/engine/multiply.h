// Takes: float matrices. Gives: their product, on all threads. Never: keeps a packed weight.
#pragma once

#include "base/threads.h"
#include "engine/rows.h"

namespace embedforge {

/// out = x * w, or out + x * w. w: [x.width, out.width].
void multiply(const Rows& x, const Rows& w, bool accumulate, ThreadPool& threads, const Rows& out);

}  // namespace embedforge
