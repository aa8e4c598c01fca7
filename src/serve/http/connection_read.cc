#include <boost/asio/use_awaitable.hpp>

#include "serve/http/connection.h"

namespace embedforge::serve {
namespace {

constexpr size_t kSmallRead = 8 << 10, kLargeRead = 64 << 10;
constexpr size_t kDrainedBody = 64 << 10;  // a refused request's body that is read all the same
constexpr double kSlowestBody = 1000;      // bytes a second
constexpr double kLingerSilence = 2, kLingerLimit = 10;  // seconds

}  // namespace

awaitable<void> Connection::serve() {
  read_deadline_ = ticks_after(shared_->options.header_timeout);
  // Each co_await initializes or is a statement of its own: within conditions g++ 12 loses some.
  const bool speaks = co_await stream_->handshake();
  if (!speaks) co_return;
  for (bool more = true; more;) {
    more = co_await wait_for_request();
    if (more) more = co_await take_request();
  }
  phase_ = Phase::kEnding;
  read_deadline_ = kNever;
  co_await until_fewer_than(1);
  if (dead_) co_return;
  write_deadline_ = ticks_after(kLingerSilence);
  co_await stream_->finish_writing();
  write_deadline_ = kNever;
  if (lingers_) co_await linger();
}

/// A client that is still sending would lose the answer to a reset; so what it sends is read.
awaitable<void> Connection::linger() {
  input_.clear();
  const int64_t limit = ticks_after(kLingerLimit);
  for (size_t bytes = 1; bytes > 0;) {
    read_deadline_ = std::min(limit, ticks_after(kLingerSilence));
    const Transferred read = co_await stream_->read_some(input_.prepare(kLargeRead));
    bytes = ticks_after(0) < limit ? read.bytes : 0;
  }
}

/// False: the connection ends here.
awaitable<bool> Connection::wait_for_request() {
  const size_t most = std::max<size_t>(shared_->options.max_pipelined, 1);
  if (owed_.size() >= most) {
    paused_ = true;
    co_await until_fewer_than(most);
    paused_ = false;
  }
  if (closing_) co_return false;
  if (input_.size() > 0) {
    phase_ = Phase::kReading;
    co_return true;
  }
  input_.clear();
  input_.shrink_to_fit();
  phase_ = Phase::kIdle;
  read_deadline_ = kNever;
  note_idle();
  co_await stream_->wait_readable();
  const bool filled = co_await fill(kSmallRead);
  phase_ = Phase::kReading;
  idle_since_ = kNever;
  co_return filled && !closing_;
}

awaitable<bool> Connection::fill(size_t count) {
  const auto [error, bytes] = co_await stream_->read_some(input_.prepare(count));
  input_.commit(bytes);
  if (!error && bytes > 0) co_return true;
  if (dead_ || timed_out_ || closing_) co_return false;
  client_gone();
  if (error != asio::error::eof) give_up();
  co_return false;
}

/// True: it has come that far, or has failed.
bool Connection::feed(RequestParser& parser, Until until) {
  const auto bytes = input_.data();
  input_.consume(parser.feed({static_cast<const char*>(bytes.data()), bytes.size()}));
  return parser.failed() != 0 || (until == Until::kHeader ? parser.header_done() : parser.done());
}

/// False: it isn't to be had, or this is the last one.
awaitable<bool> Connection::take_request() {
  RequestParser parser(shared_->options.header_limit, shared_->options.payload_limit);
  const bool header = co_await read_header(parser);
  if (!header) co_return refuse(parser);
  parser.request().id = request_id_of(parser.request());
  auto refusal = admit(parser);
  if (refusal) {
    const bool more = co_await answer_early(parser, std::move(*refusal));
    co_return more;
  }
  const bool body = co_await read_body(parser);
  co_return body ? hand_over(parser) : refuse(parser);
}

awaitable<bool> Connection::read_header(RequestParser& parser) {
  read_deadline_ = ticks_after(shared_->options.header_timeout);
  while (!feed(parser, Until::kHeader)) {
    const bool filled = co_await fill(kSmallRead);
    if (!filled) co_return false;
  }
  read_deadline_ = kNever;
  co_return parser.failed() == 0;
}

/// What is answered without the body.
std::optional<Response> Connection::admit(RequestParser& parser) {
  Request& request = parser.request();
  if (Cors::is_preflight(request)) return shared_->cors.answer_preflight(request);
  try {
    auto refusal = shared_->handler.admit(request, parser.length());
    if (refusal) return refusal;
    if (parser.length().value_or(0) > shared_->options.payload_limit)
      return shared_->handler.refuse(request, 413, "length limit exceeded");
  } catch (...) {
    return bug_answer();
  }
  return std::nullopt;
}

awaitable<bool> Connection::answer_early(RequestParser& parser, Response response) {
  const bool small = parser.done() || (parser.length().value_or(kDrainedBody) < kDrainedBody &&
                                       !parser.expects_continue());
  const bool last = !small || !parser.keep_alive();
  lingers_ = lingers_ || last;
  owe({.number = next_number_++,
       .request = parser.request(),
       .http10 = parser.http10(),
       .last = last,
       .response = std::move(response)});
  if (!small) co_return false;
  const bool body = co_await read_body(parser);
  co_return body && !last;
}

awaitable<bool> Connection::read_body(RequestParser& parser) {
  if (parser.done()) co_return true;
  if (parser.expects_continue() && input_.size() == 0) {
    const bool sent = co_await send_continue();
    if (!sent) co_return false;
  }
  const double timeout = shared_->options.body_timeout;
  read_deadline_ = ticks_after(timeout);
  while (!feed(parser, Until::kBody)) {
    const size_t expected =
        std::max<size_t>(parser.length().value_or(0), parser.request().body.size());
    const size_t before = input_.size();
    const bool filled = co_await fill(expected > kSmallRead ? kLargeRead : kSmallRead);
    if (!filled) co_return false;
    const double earned = static_cast<double>(input_.size() - before) / kSlowestBody;
    const int64_t more = ticks_after(earned) - ticks_after(0);
    read_deadline_ = std::min(ticks_after(timeout), read_deadline_ + more);
  }
  read_deadline_ = kNever;
  co_return parser.failed() == 0;
}

awaitable<bool> Connection::send_continue() {
  co_await until_fewer_than(1);
  if (dead_) co_return false;
  const std::string_view head = "HTTP/1.1 100 Continue\r\n\r\n", body;
  const bool written = co_await write_all(head, body);
  if (!written) give_up();
  co_return written;
}

/// Answers what is malformed, too large or too slow; who has gone is only told of. Returns false.
bool Connection::refuse(RequestParser& parser) {
  Request& request = parser.request();
  Owed owed{.number = next_number_++, .http10 = parser.http10(), .last = true};
  if (request.id.empty()) request.id = request_id_of(request);
  request.body.clear();
  const int status = parser.failed() != 0 ? parser.failed() : timed_out_ ? 408 : 0;
  if (status == 0) {
    owed.request = std::move(request);
    if (parser.header_done()) report(owed, Response{.status = 0}, 0);
    return false;
  }
  const std::string why = status == 408 ? "the request didn't come in time" : parser.why();
  try {
    owed.response = shared_->handler.refuse(request, status, why);
  } catch (...) {
    owed.response = bug_answer();
  }
  owed.request = std::move(request);
  lingers_ = true;
  owe(std::move(owed));
  return false;
}

}  // namespace embedforge::serve
