// Takes: values of one thread. Gives: them to another, in order. Never: holds more than its bound;
// who is ahead waits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace embedforge {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t most) : most_(most) {}

  /// False when the queue is closed.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || values_.size() < most_; });
    if (closed_) return false;
    values_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }
  /// Nothing when it is closed and empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !values_.empty(); });
    return take();
  }
  /// Nothing, too, when none came in time.
  template <typename Duration>
  std::optional<T> pop_for(Duration time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return closed_ || !values_.empty(); });
    return take();
  }
  /// No more values; those that are there can still be taken unless `drop`.
  void close(bool drop = false) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (drop) values_.clear();
    changed_.notify_all();
  }

 private:
  std::optional<T> take() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    changed_.notify_all();
    return value;
  }
  const size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
  bool closed_ = false;
};

}  // namespace embedforge
