// Takes: a number of threads and functions. Gives: a pool that runs a function on all of them at
// once. Never: oversubscribes by default.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/per_process.h"

namespace embedforge {

/// The smaller of the processors in this thread's affinity mask and the cgroup's CPU quota (rounded
/// up); at least 1.
int available_threads();

/// `size` threads, the caller's included. run() may be called from several threads; calls take
/// turns. A child of fork() can't use its parent's (see PerProcess).
class ThreadPool {
 public:
  explicit ThreadPool(int size);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const { return size_; }
  /// Calls work(0) .. work(size - 1), each on its own thread (0 on the caller's), and returns when
  /// all have. The first exception is thrown again here, after all have finished.
  void run(const std::function<void(int)>& work);

 private:
  struct State;
  int size_;
  std::unique_ptr<State> state_;
};

/// Threads that several engines take turns with; a child of fork() makes its own.
using SharedThreads = std::shared_ptr<PerProcess<ThreadPool>>;
SharedThreads share_threads(int size);

/// A barrier for threads that all run at once: spins, since the waits are microseconds; yields when
/// they are not.
class SpinBarrier {
 public:
  explicit SpinBarrier(int count) : count_(count) {}
  void wait();

 private:
  const int count_;
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> round_{0};
};

}  // namespace embedforge
