#include "serve/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <numeric>

#include "embedforge/error.h"

namespace embedforge::serve {
namespace {

using testing::ElementsAre;
using testing::Le;

/// Gives each sequence the sum of its ids, and keeps what it was asked.
class SumBackend : public TokenBackend {
 public:
  bool gives(Want) const override { return true; }
  EmbedderInfo info() const override { return {}; }
  Result run(const TokenBatch& batch, Want want, size_t) const override {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
    Matrix rows{want == Want::kTokens ? batch.ids.size() : batch.sequences(), 1, {}};
    for (size_t i = 0; i < batch.sequences(); ++i) {
      const auto ids = batch.ids.subspan(batch.offsets[i], batch.length(i));
      if (want == Want::kTokens) {
        rows.values.insert(rows.values.end(), ids.begin(), ids.end());
      } else {
        rows.values.push_back(std::accumulate(ids.begin(), ids.end(), 0.0F));
      }
      if (std::ranges::count(ids, -1) > 0) throw_bad_input("id -1");
    }
    sizes_.push_back(batch.sequences());
    tokens_.push_back(batch.ids.size());
    skips_.push_back(batch.skip);
    if (want == Want::kTokens) return TokenVectors{rows};
    return PooledVectors{rows};
  }

  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }
  std::vector<size_t> sizes() const {
    const std::lock_guard lock(mutex_);
    return sizes_;
  }
  std::vector<size_t> tokens() const {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable opened_;
  bool open_ = true;
  mutable std::vector<size_t> sizes_, tokens_, skips_;
};

class QueueTest : public testing::Test {
 protected:
  QueueOptions options;
  Metrics metrics;
  std::shared_ptr<SumBackend> backend = std::make_shared<SumBackend>();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> order;  // of the works that ended

  /// `count` sequences of `length` tokens, all `id`.
  std::shared_ptr<Work> work(const std::string& name, size_t count, size_t length, int32_t id = 1) {
    auto out = std::make_shared<Work>();
    out->backend = backend;
    for (size_t i = 0; i < count; ++i) {
      out->tokens.ids.insert(out->tokens.ids.end(), length, id);
      out->tokens.offsets.push_back(out->tokens.ids.size());
    }
    out->done = [this, name](Work&) {
      {
        const std::lock_guard lock(mutex);
        order.push_back(name);
      }
      changed.notify_all();
    };
    return out;
  }
  void wait_for(size_t ended) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(
        changed.wait_for(lock, std::chrono::seconds(20), [&] { return order.size() == ended; }));
  }
  /// The engine is busy with one sequence until the backend opens.
  void occupy(Queue& queue) {
    backend->close();
    queue.push(work("first", 1, 3));
    while (queue.waiting() > 0) std::this_thread::yield();
  }
};

TEST_F(QueueTest, GivesEachRequestItsOwnRows) {
  Queue queue(options, metrics);
  occupy(queue);
  const auto a = work("a", 2, 3, 5);
  const auto b = work("b", 3, 2, 7);
  const auto tokens = work("tokens", 2, 2, 9);
  tokens->want = Want::kTokens;
  queue.push(a);
  queue.push(b);
  queue.push(tokens);
  backend->open();
  wait_for(4);
  EXPECT_THAT(a->rows.values, ElementsAre(15, 15));
  EXPECT_THAT(b->rows.values, ElementsAre(14, 14, 14));
  EXPECT_THAT(tokens->rows.values, ElementsAre(9, 9, 9, 9));
  EXPECT_THAT(backend->sizes(), ElementsAre(1, 5, 2));  // a and b share a batch
}

TEST_F(QueueTest, BatchesStayWithinTheBudget) {
  options.max_batch_tokens = 10;
  Queue queue(options, metrics);
  queue.push(work("many", 7, 4));
  queue.push(work("long", 1, 50));
  wait_for(2);
  for (size_t i = 0; i < backend->tokens().size(); ++i) {
    if (backend->sizes()[i] > 1) {
      EXPECT_THAT(backend->tokens()[i], Le(10));
    }
  }
}

TEST_F(QueueTest, SmallRequestsPassLargeOnes) {
  options.max_batch_tokens = 100;
  Queue queue(options, metrics);
  occupy(queue);
  queue.push(work("large", 1000, 50));
  queue.push(work("small", 1, 5));
  backend->open();
  wait_for(3);
  EXPECT_THAT(order, ElementsAre("first", "small", "large"));
}

TEST_F(QueueTest, CancelledWorkIsNotRun) {
  Queue queue(options, metrics);
  occupy(queue);
  const auto flag = std::make_shared<std::atomic<bool>>(false);
  const auto gone = work("gone", 3, 3);
  gone->cancelled = flag;
  queue.push(gone);
  queue.push(work("stays", 1, 3));
  *flag = true;
  backend->open();
  wait_for(3);
  EXPECT_THAT(backend->sizes(), ElementsAre(1, 1));
  EXPECT_NE(gone->failure, nullptr);
}

TEST_F(QueueTest, OverdueWorkFails) {
  options.overdue_seconds = 0.01;
  Queue queue(options, metrics);
  occupy(queue);
  const auto late = work("late", 1, 3);
  queue.push(late);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  backend->open();
  wait_for(2);
  EXPECT_NE(late->failure, nullptr);
}

TEST_F(QueueTest, OneFaultDoesNotSpread) {
  Queue queue(options, metrics);
  occupy(queue);
  const auto bad = work("bad", 1, 3, -1);
  const auto good = work("good", 2, 3, 4);
  queue.push(good);
  queue.push(bad);
  backend->open();
  wait_for(3);
  EXPECT_NE(bad->failure, nullptr);
  EXPECT_EQ(good->failure, nullptr);
  EXPECT_THAT(good->rows.values, ElementsAre(12, 12));
}

TEST_F(QueueTest, RefusesWhatIsTooMuch) {
  options.max_inputs = 4;
  Queue queue(options, metrics);
  const auto all = queue.admit(9);  // one request is never too large by itself
  try {
    queue.admit(1);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.kind(), FailureKind::kOverloaded);
    EXPECT_GT(failure.retry_after, 0);
  }
}

TEST_F(QueueTest, RefusesWhatWouldWaitTooLong) {
  options.max_seconds = 0.001;
  Queue queue(options, metrics);
  occupy(queue);
  queue.push(work("waits", 100, 100));
  EXPECT_THROW(queue.admit(1), Failure);
  backend->open();
  wait_for(2);
}

TEST_F(QueueTest, GivesPermitsBack) {
  options.max_inputs = 2;
  Queue queue(options, metrics);
  for (int i = 0; i < 10; ++i) EXPECT_NE(queue.admit(2), nullptr);
  EXPECT_EQ(queue.in_flight(), 0U);
}

TEST_F(QueueTest, TellsOfAnEngineThatHangs) {
  Queue queue(options, metrics);
  EXPECT_EQ(queue.stalled(), 0);
  occupy(queue);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_GE(queue.stalled(), 0.01);
  backend->open();
  wait_for(1);
}

TEST(Metrics, WritesPrometheusText) {
  Metrics metrics;
  metrics.count("te_request_failure", metric_label("err", "a\"b\\c\nd"));
  metrics.observe("te_batch_next_size", 3);
  const std::string text = metrics.text();
  EXPECT_THAT(text, testing::HasSubstr("te_request_failure{err=\"a\\\"b\\\\c\\nd\"} 1\n"));
  EXPECT_THAT(text, testing::HasSubstr("te_batch_next_size_bucket{le=\"2\"} 0\n"));
  EXPECT_THAT(text, testing::HasSubstr("te_batch_next_size_bucket{le=\"4\"} 1\n"));
  EXPECT_THAT(text, testing::HasSubstr("te_batch_next_size_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, testing::HasSubstr("te_request_count{method=\"single\"} 0\n"));
}

}  // namespace
}  // namespace embedforge::serve
