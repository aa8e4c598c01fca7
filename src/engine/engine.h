// Takes: a program, then batches of token ids. Gives: token embeddings, or one pooled vector a
// sequence. Never: pads; a sequence's result is the same bit for bit whatever else is in the batch
// and however many threads there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "embedforge/embedder.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// Sequences one after another: sequence i has the tokens [offsets[i], offsets[i + 1]).
struct TokenBatch {
  std::span<const int32_t> ids;
  std::span<const int32_t> type_ids;  // empty: all 0
  std::span<const size_t> offsets;    // sequences + 1 entries

  size_t sequences() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

struct EngineOptions {
  const kernels::KernelTable* table = nullptr;  // nullptr: kernels::best_table()
  Precision precision = Precision::kAuto;
  int threads = 0;  // 0: available_threads()
  std::filesystem::path
      model;  // of the program, so that its packed weights can be cached; empty: they are not
};

class Engine {
 public:
  /// Packs the weights. Errors: kNotSupported (a precision that the table lacks), kBadInput (NaN or
  /// infinite weights, named).
  explicit Engine(const Program& program, const EngineOptions& options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  size_t hidden_size() const;
  int threads() const;
  const kernels::KernelTable& table() const;

  /// One row of hidden_size() floats for each sequence. Empty sequences give zeros. Thread-safe;
  /// calls take turns. Errors: kBadInput for an id outside the vocabulary or a sequence longer than
  /// the model's positions.
  void embed(const TokenBatch& batch, PoolKind pooling, float* out) const;

  /// Calls use(sequence, rows, length) once for each sequence that isn't empty, with its token
  /// embeddings [length, hidden_size()], from several threads at once.
  void for_each(const TokenBatch& batch,
                const std::function<void(size_t, const float*, size_t)>& use) const;

  /// The token embeddings, [tokens, hidden_size()].
  void hidden_states(const TokenBatch& batch, float* out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
