// Takes: a program and tokens. Gives: the input of each linear step, in order, so that a caller can
// decide about it before the run goes on with what the caller made of it. Never: fuses steps.
#pragma once

#include <functional>

#include "base/threads.h"
#include "base/token_batch.h"
#include "engine/rows.h"
#include "plan/program.h"

namespace embedforge {

/// Runs the whole batch, its sequences in their order, in float32 on all threads.
/// `before` may change the step (its weight and bias) and its input, of which it gets a copy; it
/// may use the threads itself. Errors: as Engine.
void observe(const Program& program, const TokenBatch& batch, ThreadPool& threads,
             const std::function<void(LinearStep&, const Rows&)>& before);

}  // namespace embedforge
