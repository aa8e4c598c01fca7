// SIGTERM, SIGINT and SIGHUP as calls on a thread of their own, and a call each second.
#pragma once

#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace embedforge::app {

/// To be made before any other thread. Until attach(), SIGTERM and SIGINT end the process.
class ServeSignals {
 public:
  struct Actions {
    std::function<void()> stop;    // at each SIGTERM or SIGINT
    std::function<void()> reload;  // at each SIGHUP
    std::function<void()> tick;    // each second
  };
  ServeSignals();
  ~ServeSignals();
  ServeSignals(const ServeSignals&) = delete;
  ServeSignals& operator=(const ServeSignals&) = delete;

  void attach(Actions actions);
  /// No action runs any more, nor begins.
  void detach();

 private:
  void wait();

  sigset_t signals_ = {};
  std::mutex mutex_;  // of what follows; held while an action runs
  Actions actions_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace embedforge::app
