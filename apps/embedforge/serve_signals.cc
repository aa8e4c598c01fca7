#include "serve_signals.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>

#include "base/atomic_file.h"

namespace embedforge::app {

ServeSignals::ServeSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { wait(); });
}

ServeSignals::~ServeSignals() {
  {
    const std::lock_guard lock(mutex_);
    actions_ = {};
    ended_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
  pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

void ServeSignals::attach(Actions actions) {
  const std::lock_guard lock(mutex_);
  actions_ = std::move(actions);
}

void ServeSignals::detach() {
  const auto nothing = [] {};
  attach({.stop = nothing, .reload = nothing, .tick = nothing});
}

void ServeSignals::wait() {
  for (;;) {
    const timespec second = {1, 0};
    const int signal = sigtimedwait(&signals_, nullptr, &second);
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (signal == SIGTERM || signal == SIGINT) {
      if (!actions_.stop) {
        remove_partial_files();
        _exit(128 + signal);
      }
      actions_.stop();
    } else if (signal == SIGHUP) {
      if (actions_.reload) actions_.reload();
    } else if (signal < 0 && errno == EAGAIN && actions_.tick) {
      actions_.tick();
    }
  }
}

}  // namespace embedforge::app
