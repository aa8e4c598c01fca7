// Takes: sequences of tokens that requests bring. Gives: what their models make of them, in batches
// of whatever waits now. Never: waits for a batch to fill, pads, or lets a large request hold up a
// small one; tokenizes nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "backends/backend.h"
#include "embed/text_model.h"
#include "serve/failure.h"
#include "serve/http/handler.h"
#include "serve/metrics.h"

namespace embedforge::serve {

/// Sequences of one request for one model, and what came of them.
struct Work {
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<const TokenBackend> backend;  // keeps the model alive
  Want want = Want::kPooled;
  TokenizedTexts tokens;
  size_t tokens_before = 0;  // about so many of the same request go before these
  Cancelled cancelled;
  Clock::time_point arrived = Clock::now();
  /// Called once, on the engine's thread, when all sequences were run or `failure` is set.
  std::function<void(Work&)> done;

  Matrix rows;                 // as backends/backend.h has it for `want`
  std::exception_ptr failure;  // Failure or Error
  double queue_seconds = 0;    // until the first sequence's batch began
  double run_seconds = 0;      // of all batches that it was part of
  size_t finished = 0;         // sequences; the queue's own

  size_t sequences() const { return tokens.offsets.size() - 1; }
  void finish() {
    const auto call = std::exchange(done, nullptr);
    call(*this);
  }
};

struct QueueOptions {
  size_t max_batch_tokens = 16384;  // of a batch, unless one sequence alone has more
  size_t max_batch_requests = 0;    // sequences of a batch; 0: no bound
  size_t max_inputs = 512;          // that are admitted at once …
  double max_seconds = 10;          // … and how long the last of them may have to wait
  double overdue_seconds = 60;      // what has waited longer fails
  int threads = 1;                  // of the engine: a batch is no longer than keeps them busy
};

/// One engine thread runs all batches of all models. Thread-safe.
class Queue {
 public:
  Queue(QueueOptions options, Metrics& metrics);
  ~Queue();

  /// A share of what may be in flight, given back when it goes.
  class Permit {
   public:
    Permit(Queue& queue, size_t inputs) : queue_(queue), inputs_(inputs) {}
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit() { queue_.in_flight_ -= inputs_; }

   private:
    Queue& queue_;
    size_t inputs_;
  };

  /// For a request of so many inputs, before they are tokenized. Errors: Failure kOverloaded, with
  /// retry_after from the measured rate.
  std::shared_ptr<Permit> admit(size_t inputs);
  /// Takes it in; work->done is called whatever happens.
  void push(std::shared_ptr<Work> work);

  size_t waiting() const;
  size_t in_flight() const { return in_flight_; }
  /// Seconds since the engine finished a batch while there was work; 0 when it is idle.
  double stalled() const;

 private:
  friend class Permit;
  struct Waiting {
    std::shared_ptr<Work> work;
    size_t next = 0;  // sequence
  };
  /// Sequences that may share a batch: of one backend, with the same result and as many tokens to
  /// leave out of pooling.
  using Key = std::tuple<const TokenBackend*, Want, size_t>;
  /// By deadline, the seconds of the engine's clock at which the next sequence should be done.
  using Line = std::multimap<double, Waiting>;
  struct Part {
    std::shared_ptr<Work> work;
    size_t begin = 0, end = 0;  // sequences
    size_t tokens() const { return work->tokens.offsets[end] - work->tokens.offsets[begin]; }
  };
  using Batch = std::vector<Part>;

  void serve();
  Batch next_batch(std::vector<std::shared_ptr<Work>>& dropped);
  void drop_dead(std::vector<std::shared_ptr<Work>>& dropped);
  void run(const Batch& batch);
  void run_parts(const Batch& batch);
  double deadline(const Waiting& waiting) const;
  double wait_seconds() const;

  const QueueOptions options_;
  Metrics& metrics_;
  const Work::Clock::time_point start_ = Work::Clock::now();
  std::atomic<size_t> in_flight_ = 0;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::map<Key, Line> lines_;
  size_t sequences_ = 0, tokens_ = 0;  // waiting
  double tokens_per_second_ = 0;       // measured; 0: not yet
  bool running_ = false, stop_ = false;
  Work::Clock::time_point progress_ = start_;
  std::thread engine_;
};

}  // namespace embedforge::serve
