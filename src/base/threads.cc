#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace embedforge {
namespace {

int affinity_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

double read_ratio(const std::string& quota_file, const std::string& period_file) {
  std::ifstream quota_in(quota_file);
  std::ifstream period_in(period_file);
  double quota = -1;
  double period = 0;
  if (quota_in >> quota && period_in >> period && quota > 0 && period > 0) return quota / period;
  return 0;
}

/// cgroup v2's cpu.max ("quota period" or "max period") of one folder; 0: no limit there.
double read_cpu_max(const std::filesystem::path& folder) {
  std::ifstream in(folder / "cpu.max");
  double quota = 0;
  double period = 0;
  return in >> quota >> period && period > 0 ? quota / period : 0;
}

/// The tightest quota of this process's control groups, in processors; 0: none.
double quota_processors() {
  double tightest = 0;
  const auto consider = [&](double value) {
    if (value > 0 && (tightest == 0 || value < tightest)) tightest = value;
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    std::istringstream fields(line);
    std::string id;
    std::string controllers;
    std::string path;
    std::getline(fields, id, ':');
    std::getline(fields, controllers, ':');
    std::getline(fields, path);
    if (id == "0") {
      for (std::filesystem::path folder = "/sys/fs/cgroup" + path;; folder = folder.parent_path()) {
        consider(read_cpu_max(folder));
        if (folder == "/sys/fs/cgroup" || folder == folder.parent_path()) break;
      }
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      for (const std::string& root :
           {std::string("/sys/fs/cgroup/cpu") + path, std::string("/sys/fs/cgroup/cpu")}) {
        consider(read_ratio(root + "/cpu.cfs_quota_us", root + "/cpu.cfs_period_us"));
      }
    }
  }
  return tightest;
}

constexpr int kSpins = 4000;  // about 50 us before a waiting thread sleeps or yields

inline void pause() { __builtin_ia32_pause(); }

/// Moves this thread off the processor `busy` if it is there and may go elsewhere. The scheduler
/// takes milliseconds to do so when both threads spin, which is longer than a small request lasts.
void leave_processor(int busy) {
  if (sched_getcpu() != busy) return;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
  cpu_set_t others = allowed;
  CPU_CLR(busy, &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0)
    sched_setaffinity(0, sizeof allowed, &allowed);
}

}  // namespace

int available_threads() {
  const int processors = std::max(1, affinity_count());
  const double quota = quota_processors();
  return quota > 0 ? std::clamp(static_cast<int>(std::ceil(quota)), 1, processors) : processors;
}

struct ThreadPool::State {
  std::mutex turn;  // one run() at a time
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> round{0};
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  const std::function<void(int)>* work = nullptr;
  std::atomic<int> caller{-1};  // the processor that run() was called on
  std::exception_ptr failure;
  std::vector<std::thread> workers;

  void call(int index) noexcept {
    try {
      (*work)(index);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  void loop(int index, uint64_t seen) {
    while (true) {
      for (int i = 0; i < kSpins && round.load(std::memory_order_acquire) == seen; ++i) pause();
      if (round.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round.load() != seen; });
      }
      seen = round.load(std::memory_order_acquire);
      if (stop) return;
      leave_processor(caller.load(std::memory_order_relaxed));
      call(index);
      running.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  void start(int size) {
    const uint64_t now = round;
    for (int i = 1; i < size; ++i) workers.emplace_back([this, i, now] { loop(i, now); });
  }
};

ThreadPool::ThreadPool(int size) : size_(std::max(1, size)), state_(std::make_unique<State>()) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    ++state_->round;
  }
  state_->wake.notify_all();
  for (std::thread& t : state_->workers) t.join();
}

void ThreadPool::run(const std::function<void(int)>& work) {
  State& s = *state_;
  if (size_ == 1) {
    work(0);
    return;
  }
  const std::lock_guard turn(s.turn);
  if (s.workers.empty()) s.start(size_);
  {
    const std::lock_guard lock(s.mutex);
    s.work = &work;
    s.failure = nullptr;
    s.running = size_ - 1;
    s.caller = sched_getcpu();
    s.round.fetch_add(1, std::memory_order_release);
  }
  s.wake.notify_all();
  s.call(0);
  for (int i = 0; s.running.load(std::memory_order_acquire) > 0; ++i) {
    if (i < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
  if (s.failure) std::rethrow_exception(s.failure);
}

SharedThreads share_threads(int size) {
  return std::make_shared<PerProcess<ThreadPool>>(
      [size] { return std::make_unique<ThreadPool>(size); });
}

void SpinBarrier::wait() {
  const unsigned round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    return;
  }
  for (int i = 0; round_.load(std::memory_order_acquire) == round; ++i) {
    if (i < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace embedforge
