#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace embedforge {
namespace {

TEST(ThreadPool, RunsEveryIndexOnceEachTime) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> calls(4);
  for (int i = 0; i < 100; ++i) pool.run([&](int index) { ++calls[static_cast<size_t>(index)]; });
  for (const auto& c : calls) EXPECT_EQ(c, 100);
}

TEST(ThreadPool, ThrowsTheWorkersException) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.run([](int index) {
    if (index == 2) throw std::runtime_error("two");
  }),
               std::runtime_error);
  int done = 0;
  pool.run([&](int index) {
    if (index == 0) done = 1;
  });
  EXPECT_EQ(done, 1);
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  const auto caller = [&] {
    for (int i = 0; i < 50; ++i) {
      pool.run([&](int) {
        if (++inside > 2) overlapped = true;
        --inside;
      });
    }
  };
  std::thread other(caller);
  caller();
  other.join();
  EXPECT_FALSE(overlapped);
}

TEST(SpinBarrier, NobodyRunsAhead) {
  ThreadPool pool(3);
  SpinBarrier barrier(3);
  std::atomic<int> step{0};
  std::atomic<bool> ahead{false};
  pool.run([&](int) {
    for (int i = 0; i < 200; ++i) {
      ++step;
      barrier.wait();
      if (step < 3 * (i + 1)) ahead = true;
      barrier.wait();
    }
  });
  EXPECT_FALSE(ahead);
}

TEST(AvailableThreads, IsWithinTheAffinityMask) {
  EXPECT_GE(available_threads(), 1);
  EXPECT_LE(available_threads(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace embedforge
