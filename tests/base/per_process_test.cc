#include "base/per_process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "base/threads.h"

namespace embedforge {
namespace {

class PerProcessPool : public testing::Test {
 protected:
  PerProcess<ThreadPool> pool{[] { return std::make_unique<ThreadPool>(2); }};

  /// The exit status of a forked child that runs a function on its pool `times` times, with pauses
  /// in which the pool's workers fall asleep.
  int run_in_child(int times) {
    const pid_t child = fork();
    if (child == 0) {
      std::atomic<int> calls{0};
      for (int i = 0; i < times; ++i) {
        pool.get().run([&](int) { ++calls; });
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      _exit(calls == 2 * times ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
  }
};

TEST_F(PerProcessPool, IsTheSameWithinAProcess) {
  ThreadPool* first = &pool.get();
  ThreadPool* second = nullptr;
  std::thread([&] { second = &pool.get(); }).join();
  EXPECT_EQ(first, second);
}

// The pause before the fork sweeps over the moment when the parent's worker stops spinning, locks
// and sleeps.
TEST_F(PerProcessPool, WorksInAChildWhenTheWorkerFallsAsleep) {
  for (int pause = 0; pause < 200; ++pause) {
    pool.get().run([](int) {});
    std::this_thread::sleep_for(std::chrono::microseconds(pause));
    ASSERT_EQ(run_in_child(1), 0);
  }
}

TEST_F(PerProcessPool, WorksInAChildWhenTheWorkerSleeps) {
  pool.get().run([](int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(run_in_child(5), 0);
}

TEST_F(PerProcessPool, WorksInAChildOfARun) {
  int status = -1;
  pool.get().run([&](int index) {
    if (index == 0) status = run_in_child(2);
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace embedforge
