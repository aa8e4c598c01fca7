// Working space of one call, and the pool that keeps it from call to call.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tokenize/models/token.h"
#include "tokenize/models/word_cache.h"
#include "tokenize/pieces.h"

namespace embedforge {

struct Scratch {
  WordCache cache;
  std::string word;
  std::string normalized;
  Pieces pieces;
  Pieces spare;
  std::vector<Token> tokens;
};

/// Hands a thread the scratch that it had last, so that its cache stays warm. Lock-free; holds at
/// most kSlots of them.
class ScratchPool {
 public:
  ScratchPool() = default;
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;
  ~ScratchPool() {
    for (auto& slot : slots_) std::unique_ptr<Scratch>(slot.load());
  }

  /// Returns the scratch to its pool at the end of the scope.
  class Lease {
   public:
    explicit Lease(ScratchPool& pool)
        : slot_(pool.slots_[std::hash<std::thread::id>()(std::this_thread::get_id()) % kSlots]),
          scratch_(slot_.exchange(nullptr, std::memory_order_acquire)) {
      if (!scratch_) scratch_ = std::make_unique<Scratch>();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      Scratch* expected = nullptr;
      if (slot_.compare_exchange_strong(expected, scratch_.get(), std::memory_order_release,
                                        std::memory_order_relaxed)) {
        (void)scratch_.release();
      }
    }
    Scratch& operator*() const { return *scratch_; }
    Scratch* operator->() const { return scratch_.get(); }

   private:
    std::atomic<Scratch*>& slot_;
    std::unique_ptr<Scratch> scratch_;
  };

 private:
  static constexpr size_t kSlots = 64;
  std::array<std::atomic<Scratch*>, kSlots> slots_{};
};

}  // namespace embedforge
