// Takes: a program, then batches of token ids. Gives: token embeddings, or one pooled vector a
// sequence. Never: pads; a sequence's result is the same bit for bit whatever else is in the batch
// and however many threads there are.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "base/threads.h"
#include "base/token_batch.h"
#include "embedforge/compute.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

struct EngineOptions {
  const kernels::KernelTable* table = nullptr;  // nullptr: kernels::best_table()
  Compute compute = Compute::kAuto;
  int threads = 0;               // 0: available_threads()
  SharedThreads shared_threads;  // so many, of several engines; nullptr: its own
  std::filesystem::path
      model;  // of the program, so that its packed weights can be cached; empty: they are not
};

class Engine {
 public:
  /// Packs the weights. Errors: kNotSupported (a compute that the table lacks), kBadInput (NaN or
  /// infinite weights, named).
  explicit Engine(const Program& program, const EngineOptions& options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  size_t hidden_size() const;
  size_t width() const;  // of pooled(): what the program's head gives
  int threads() const;
  const kernels::KernelTable& table() const;

  /// What the program's head makes of each sequence, [sequences, width()]; zeros for an empty one.
  /// Thread-safe; calls take turns. Errors: kBadInput for an id outside the vocabulary or a
  /// sequence longer than the model's positions; kBug for a program without a head.
  void pooled(const TokenBatch& batch, float* out) const;

  /// The token embeddings, [tokens, hidden_size()].
  void tokens(const TokenBatch& batch, float* out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
