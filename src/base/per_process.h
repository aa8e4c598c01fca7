// Takes: how to make an object that has locks or threads. Gives: one of its own to each process.
// Never: touches in a child of fork() what the parent made.
#pragma once

#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

namespace embedforge {

/// An object that a child of fork() makes anew at its first use. The parent's is of no use there:
/// its threads aren't in the child, and in the moment of the fork they may have held its locks or
/// waited on its conditions. So the child neither uses nor frees it.
template <typename T>
class PerProcess {
 public:
  using Make = std::function<std::unique_ptr<T>()>;

  explicit PerProcess(Make make) : make_(std::move(make)), current_(new Owned{make_()}) {}
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;
  ~PerProcess() {
    Owned* owned = current_;
    if (owned->process == getpid()) delete owned;
  }

  /// This process's object. May be called from several threads.
  T& get() {
    Owned* owned = current_;
    if (owned->process == getpid()) return *owned->object;
    std::unique_ptr<Owned> fresh(new Owned{make_()});
    if (current_.compare_exchange_strong(owned, fresh.get())) owned = fresh.release();
    return *owned->object;
  }

 private:
  struct Owned {
    std::unique_ptr<T> object;
    pid_t process = getpid();
  };

  Make make_;
  std::atomic<Owned*> current_;
};

}  // namespace embedforge
