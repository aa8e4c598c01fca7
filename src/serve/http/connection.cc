#include "serve/http/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>

namespace embedforge::serve {
namespace {

using std::chrono::milliseconds;

constexpr size_t kJoinedBody = 16 << 10;     // written in one piece with its header
constexpr milliseconds kDrainGrace(500);     // for a request that may be on its way
constexpr milliseconds kRecentlyUsed(1000);  // who may have sent one

int64_t ticks(Clock::time_point time) { return time.time_since_epoch().count(); }

}  // namespace

int64_t ticks_after(double seconds) {
  return ticks(Clock::now() +
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
}

Response bug_answer() {
  return {.status = 500, .body = R"({"error":"internal error","error_type":"Backend"})"};
}

void Connections::add(Connection* connection) {
  const std::lock_guard lock(mutex_);
  set_.insert(connection);
}

void Connections::remove(Connection* connection) {
  const std::lock_guard lock(mutex_);
  set_.erase(connection);
}

size_t Connections::count() const {
  const std::lock_guard lock(mutex_);
  return set_.size();
}

std::vector<std::shared_ptr<Connection>> Connections::all() const {
  std::vector<std::shared_ptr<Connection>> all;
  const std::lock_guard lock(mutex_);
  all.reserve(set_.size());
  for (Connection* one : set_) {
    if (auto alive = one->weak_from_this().lock()) all.push_back(std::move(alive));
  }
  return all;
}

/// What a Handler's Done holds: brings the answer to the connection if it is still there. One that
/// is dropped without a call answers 500.
class Connection::Reply {
 public:
  Reply(Connection& connection, uint64_t number)
      : io_(connection.io_), connection_(connection.weak_from_this()), number_(number) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply() {
    if (!given_.exchange(true)) send({.status = 500});
  }
  void give(Response response) {
    if (!given_.exchange(true)) send(std::move(response));
  }

 private:
  void send(Response response) noexcept {
    const auto connection = connection_.lock();
    if (!connection) return;
    try {
      asio::dispatch(connection->stream_->executor(),
                     [connection, number = number_, response = std::move(response)]() mutable {
                       connection->deliver(number, std::move(response));
                     });
    } catch (...) {  // out of memory: the client waits in vain until it goes
      return;
    }
  }
  const std::shared_ptr<asio::io_context> io_;  // outlives what is sent to it
  const std::weak_ptr<Connection> connection_;
  const uint64_t number_;
  std::atomic<bool> given_ = false;
};

Connection::Connection(std::unique_ptr<Stream> stream, std::shared_ptr<Shared> shared,
                       std::shared_ptr<asio::io_context> io)
    : shared_(std::move(shared)),
      io_(std::move(io)),
      stream_(std::move(stream)),
      changed_(stream_->executor(), Clock::time_point::max()),
      read_deadline_(kNever),
      write_deadline_(kNever),
      idle_since_(kNever) {
  shared_->connections.add(this);
}

Connection::~Connection() { shared_->connections.remove(this); }

void Connection::start() {
  asio::co_spawn(stream_->executor(), run(shared_from_this()), asio::detached);
}

awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
  try {
    co_await self->serve();
  } catch (...) {  // out of memory: this connection ends, the others don't
    self->give_up();
  }
  self->give_up();
  while (self->writing_) {
    (void)co_await self->changed_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  for (const Owed& owed : self->owed_) self->report(owed, Response{.status = 0}, 0);
  self->owed_.clear();
}

void Connection::owe(Owed owed) {
  owed_.push_back(std::move(owed));
  if (owed_.back().response) {
    Response response = std::move(*owed_.back().response);
    owed_.back().response.reset();
    deliver(owed_.back().number, std::move(response));
  }
}

bool Connection::hand_over(RequestParser& parser) {
  Request request = std::move(parser.request());
  std::string body = std::move(request.body);
  const bool last = !parser.keep_alive();
  const uint64_t number = next_number_++;
  phase_ = Phase::kBetween;
  lingers_ = lingers_ || last;
  owe({.number = number, .request = request, .http10 = parser.http10(), .last = last});
  request.body = std::move(body);
  if (!cancelled_) cancelled_ = std::make_shared<std::atomic<bool>>(false);
  const auto reply = std::make_shared<Reply>(*this, number);
  try {
    shared_->handler.handle(std::move(request), cancelled_,
                            [reply](Response response) { reply->give(std::move(response)); });
  } catch (...) {
    reply->give(bug_answer());
  }
  return !last;
}

void Connection::deliver(uint64_t number, Response response) {
  for (Owed& owed : owed_) {
    if (owed.number != number) continue;
    owed.response = std::move(response);
    break;
  }
  if (dead_ || writing_ || owed_.empty() || !owed_.front().response) return;
  try {
    writing_ = true;
    asio::co_spawn(stream_->executor(), write_answers(shared_from_this()), asio::detached);
  } catch (...) {
    writing_ = false;
    give_up();
  }
}

awaitable<void> Connection::write_answers(std::shared_ptr<Connection> self) {
  try {
    co_await self->write_ready();
  } catch (...) {
    self->give_up();
  }
  self->writing_ = false;
  self->note_idle();
  self->changed_.cancel();
}

awaitable<void> Connection::write_ready() {
  while (Owed* owed = next_ready()) {
    const bool ends = ends_with(*owed);
    if (ends) closing_ = true;
    std::string head = head_of(*owed, ends);
    std::string body = std::move(owed->response->body);
    const size_t size = sends_body(*owed) ? body.size() : 0;
    body.resize(size);
    if (size <= kJoinedBody) head += std::exchange(body, "");
    const bool written = co_await write_all(head, body);
    if (!written)
      give_up();
    else
      finish_first(size, ends);
  }
}

/// Whose turn it is and whose answer is there; null: nobody's.
Connection::Owed* Connection::next_ready() {
  if (dead_ || owed_.empty() || !owed_.front().response) return nullptr;
  return &owed_.front();
}

std::string Connection::head_of(Owed& owed, bool ends) {
  shared_->cors.add_to(owed.response->headers, owed.request);
  const After kept = owed.http10 ? After::kKeepAlive10 : After::kKeepAlive;
  return answer_head(*owed.response, owed.request, ends ? After::kClose : kept);
}

bool Connection::sends_body(const Owed& owed) {
  return owed.request.method != "HEAD" && has_body(owed.response->status);
}

void Connection::finish_first(size_t body_bytes, bool ends) {
  Owed& owed = owed_.front();
  const bool gone = cancelled_ && *cancelled_;
  if (gone) owed.response->status = 0;
  report(owed, *owed.response, body_bytes);
  owed_.pop_front();
  last_active_ = Clock::now();
  if (ends && phase_ == Phase::kIdle) stream_->stop_reading();
  changed_.cancel();
}

awaitable<bool> Connection::write_all(std::string_view head, std::string_view body) {
  bool written = true;
  for (size_t left = head.size() + body.size(); left > 0; left = head.size() + body.size()) {
    write_deadline_ = ticks_after(shared_->options.write_timeout);
    const auto [error, bytes] =
        co_await stream_->write_some({asio::buffer(head), asio::buffer(body)});
    written = !error;
    if (!written) break;
    const size_t of_head = std::min(bytes, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(bytes - of_head);
  }
  write_deadline_ = kNever;
  co_return written;
}

awaitable<void> Connection::until_fewer_than(size_t owed) {
  while (owes_at_least(owed)) {
    (void)co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

bool Connection::owes_at_least(size_t count) const { return owed_.size() >= count && !dead_; }

void Connection::report(const Owed& owed, const Response& sent, uint64_t bytes) {
  const std::chrono::duration<double> seconds = Clock::now() - owed.began;
  try {
    shared_->handler.finished(owed.request, sent, bytes, seconds.count());
  } catch (...) {  // a log that fails is no reason to fail the client
    return;
  }
}

/// While draining: whether nothing else has come from this client.
bool Connection::ends_with(const Owed& owed) {
  if (owed.last) return true;
  return shared_->draining && owed_.size() == 1 && phase_ != Phase::kReading &&
         input_.size() == 0 && !stream_->has_input();
}

void Connection::note_idle() {
  if (phase_ != Phase::kIdle || !owed_.empty() || closing_) return;
  read_deadline_ = ticks_after(shared_->options.idle_timeout);
  idle_since_ = ticks(Clock::now());
  if (shared_->draining) close_idle();
}

/// At once where no request can be on its way, else in a moment.
void Connection::close_idle() {
  if (stream_->has_input()) return;
  if (Clock::now() - last_active_ > kRecentlyUsed) {
    closing_ = true;
    stream_->stop_reading();
  } else {
    read_deadline_ = std::min<int64_t>(read_deadline_, ticks(Clock::now() + kDrainGrace));
  }
}

void Connection::client_gone() {
  if (cancelled_) *cancelled_ = true;
}

void Connection::give_up() {
  if (dead_) return;
  dead_ = closing_ = true;
  read_deadline_ = write_deadline_ = idle_since_ = kNever;
  client_gone();
  stream_->close();
  changed_.cancel();
}

void Connection::expire() {
  if (dead_) return;
  const int64_t now = ticks(Clock::now());
  if (now >= write_deadline_) return give_up();
  if (paused_ && stream_->peer_is_gone()) client_gone();
  if (now < read_deadline_) return;
  read_deadline_ = kNever;
  timed_out_ = true;
  if (phase_ == Phase::kIdle) closing_ = true;
  stream_->stop_reading();
}

void Connection::check(Clock::time_point now) {
  if (ticks(now) < read_deadline_ && ticks(now) < write_deadline_ && !paused_) return;
  asio::post(stream_->executor(), [self = shared_from_this()] { self->expire(); });
}

Clock::time_point Connection::idle_since() const {
  return Clock::time_point(Clock::duration(idle_since_));
}

void Connection::drain() {
  asio::post(stream_->executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kIdle && self->owed_.empty() && !self->closing_) self->close_idle();
  });
}

void Connection::make_room() {
  asio::post(stream_->executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kIdle && self->owed_.empty() && !self->stream_->has_input())
      self->give_up();
  });
}

void Connection::abandon() {
  asio::post(stream_->executor(), [self = shared_from_this()] { self->give_up(); });
}

}  // namespace embedforge::serve
