#include "serve/queue.h"

#include <algorithm>
#include <utility>

namespace embedforge::serve {
namespace {

/// Tokens of a batch for each thread: from here on the engine is as fast as it gets, and what comes
/// meanwhile waits for no more than this.
constexpr size_t kStepTokens = 2048;
/// A request's n-th token is due this many times later than the engine alone would need for n: what
/// is small goes first, and what is large still gets its turn.
constexpr double kSlack = 4;
constexpr double kFirstGuess = 10'000;  // tokens a second, before any was measured

double seconds_between(Work::Clock::time_point from, Work::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Queue::Queue(QueueOptions options, Metrics& metrics) : options_(options), metrics_(metrics) {
  engine_ = std::thread([this] { serve(); });
}

Queue::~Queue() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  engine_.join();
}

double Queue::wait_seconds() const {
  return static_cast<double>(tokens_) / (tokens_per_second_ > 0 ? tokens_per_second_ : kFirstGuess);
}

std::shared_ptr<Queue::Permit> Queue::admit(size_t inputs) {
  const std::lock_guard lock(mutex_);
  const double wait = wait_seconds();
  const bool full = in_flight_ >= options_.max_inputs;
  if (full || (tokens_ > 0 && wait > options_.max_seconds)) {
    Failure failure(FailureKind::kOverloaded,
                    full
                        ? "Model is overloaded: --max-concurrent-requests (" +
                              std::to_string(options_.max_inputs) + " inputs) are in flight"
                        : "Model is overloaded: the queue would take longer than --max-queue-time");
    failure.retry_after = std::max(wait, 0.001);
    throw failure;
  }
  in_flight_ += inputs;
  return std::make_shared<Permit>(*this, inputs);
}

double Queue::deadline(const Waiting& waiting) const {
  const Work& work = *waiting.work;
  const size_t tokens = work.tokens_before + work.tokens.offsets[waiting.next + 1];
  const double rate = tokens_per_second_ > 0 ? tokens_per_second_ : kFirstGuess;
  return seconds_between(start_, work.arrived) + kSlack * static_cast<double>(tokens) / rate;
}

void Queue::push(std::shared_ptr<Work> work) {
  if (work->sequences() == 0) {
    work->finish();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (sequences_ == 0 && !running_) progress_ = Work::Clock::now();
    sequences_ += work->sequences();
    tokens_ += work->tokens.ids.size();
    metrics_.set("te_queue_size", "", static_cast<double>(sequences_));
    const Key key{work->backend.get(), work->want, work->tokens.skip};
    Waiting waiting{std::move(work)};
    const double due = deadline(waiting);
    lines_[key].emplace(due, std::move(waiting));
  }
  changed_.notify_one();
}

size_t Queue::waiting() const {
  const std::lock_guard lock(mutex_);
  return sequences_;
}

double Queue::stalled() const {
  const std::lock_guard lock(mutex_);
  return running_ || sequences_ > 0 ? seconds_between(progress_, Work::Clock::now()) : 0;
}

/// What nobody waits for any more, or has waited too long.
void Queue::drop_dead(std::vector<std::shared_ptr<Work>>& dropped) {
  const auto now = Work::Clock::now();
  for (auto& [key, line] : lines_) {
    std::erase_if(line, [&](const Line::value_type& each) {
      const Waiting& waiting = each.second;
      Work& work = *waiting.work;
      const bool gone = work.cancelled != nullptr && *work.cancelled;
      if (!gone && seconds_between(work.arrived, now) < options_.overdue_seconds) return false;
      work.failure = std::make_exception_ptr(Failure(
          FailureKind::kOverdue,
          gone ? "the client is gone" : "waited longer than --request-timeout in the queue"));
      sequences_ -= work.sequences() - waiting.next;
      tokens_ -= work.tokens.ids.size() - work.tokens.offsets[waiting.next];
      dropped.push_back(waiting.work);
      return true;
    });
  }
  std::erase_if(lines_, [](const auto& line) { return line.second.empty(); });
}

Queue::Batch Queue::next_batch(std::vector<std::shared_ptr<Work>>& dropped) {
  drop_dead(dropped);
  Batch batch;
  if (lines_.empty()) return batch;
  const auto first = std::ranges::min_element(
      lines_, {}, [](const auto& line) { return line.second.begin()->first; });
  Line& line = first->second;
  const size_t budget =
      std::min(options_.max_batch_tokens, kStepTokens * static_cast<size_t>(options_.threads));
  const size_t most = options_.max_batch_requests > 0 ? options_.max_batch_requests : budget;
  size_t tokens = 0;
  size_t sequences = 0;
  while (!line.empty() && sequences < most) {
    Line::node_type node = line.extract(line.begin());
    Waiting& waiting = node.mapped();
    const size_t length = waiting.work->tokens.batch().length(waiting.next);
    if (sequences > 0 && tokens + length > budget) {
      line.insert(std::move(node));
      break;
    }
    if (batch.empty() || batch.back().work != waiting.work)
      batch.push_back({waiting.work, waiting.next, waiting.next});
    batch.back().end = ++waiting.next;
    tokens += length;
    ++sequences;
    if (waiting.next == waiting.work->sequences()) continue;
    node.key() = deadline(waiting);
    line.insert(std::move(node));
  }
  if (line.empty()) lines_.erase(first);
  sequences_ -= sequences;
  tokens_ -= tokens;
  metrics_.set("te_queue_size", "", static_cast<double>(sequences_));
  metrics_.observe("te_batch_next_size", static_cast<double>(sequences));
  metrics_.observe("te_batch_next_tokens", static_cast<double>(tokens));
  return batch;
}

void Queue::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !lines_.empty(); });
    if (lines_.empty()) return;  // stopped, and nothing is left
    std::vector<std::shared_ptr<Work>> dropped;
    const Batch batch = next_batch(dropped);
    running_ = true;
    progress_ = Work::Clock::now();
    lock.unlock();
    for (const std::shared_ptr<Work>& work : dropped) work->finish();
    const auto begin = Work::Clock::now();
    size_t tokens = 0;
    for (const Part& part : batch) tokens += part.tokens();
    if (!batch.empty()) run(batch);
    const double seconds = seconds_between(begin, Work::Clock::now());
    lock.lock();
    running_ = false;
    progress_ = Work::Clock::now();
    if (tokens > 0 && seconds > 0) {
      const double rate = static_cast<double>(tokens) / seconds;
      tokens_per_second_ =
          tokens_per_second_ == 0 ? rate : tokens_per_second_ + 0.1 * (rate - tokens_per_second_);
    }
  }
}

/// Runs a batch; where it fails, each part by itself, so that one request's fault stays its own.
void Queue::run(const Batch& batch) {
  const auto fail = [](Work& work) {
    if (work.failure == nullptr) work.failure = std::current_exception();
  };
  try {
    run_parts(batch);
  } catch (const std::exception&) {
    for (const Part& part : batch) {
      try {
        run_parts({part});
      } catch (const std::exception&) {
        fail(*part.work);
      }
    }
  }
  for (const Part& part : batch) {
    Work& work = *part.work;
    work.finished += part.end - part.begin;
    if (work.finished == work.sequences()) work.finish();
  }
}

void Queue::run_parts(const Batch& batch) {
  const Work& first = *batch.front().work;
  TokenizedTexts all;
  all.skip = first.tokens.skip;
  const bool typed = std::ranges::any_of(
      batch, [](const Part& part) { return !part.work->tokens.type_ids.empty(); });
  for (const Part& part : batch) {
    const TokenizedTexts& own = part.work->tokens;
    const auto begin = static_cast<ptrdiff_t>(own.offsets[part.begin]);
    const auto end = static_cast<ptrdiff_t>(own.offsets[part.end]);
    for (size_t s = part.begin; s < part.end; ++s)
      all.offsets.push_back(all.offsets.back() + own.offsets[s + 1] - own.offsets[s]);
    all.ids.insert(all.ids.end(), own.ids.begin() + begin, own.ids.begin() + end);
    if (!own.type_ids.empty()) {
      all.type_ids.insert(all.type_ids.end(), own.type_ids.begin() + begin,
                          own.type_ids.begin() + end);
    } else if (typed) {
      all.type_ids.resize(all.ids.size());
    }
  }
  const auto begin = Work::Clock::now();
  const Result result = first.backend->run(all.batch(), first.want, 32);
  const double seconds = seconds_between(begin, Work::Clock::now());
  const Matrix& rows =
      std::visit([](const auto& each) -> const Matrix& { return each.rows; }, result);
  size_t at = 0;
  for (const Part& part : batch) {
    Work& work = *part.work;
    const bool by_token = work.want == Want::kTokens;
    const size_t row = by_token ? work.tokens.offsets[part.begin] : part.begin;
    const size_t count = by_token ? part.tokens() : part.end - part.begin;
    if (work.rows.values.empty()) {
      work.rows = {by_token ? work.tokens.ids.size() : work.sequences(), rows.columns, {}};
      work.rows.values.resize(work.rows.rows * rows.columns);
    }
    std::copy_n(rows.values.data() + at * rows.columns, count * rows.columns,
                work.rows.values.data() + row * rows.columns);
    at += count;
    if (part.begin == 0) work.queue_seconds = seconds_between(work.arrived, begin);
    work.run_seconds += seconds;
  }
}

}  // namespace embedforge::serve
