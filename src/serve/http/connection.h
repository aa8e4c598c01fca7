// One client's connection: reads requests, hands them to the Handler, writes the answers in the
// order of the requests. Everything but the functions marked so runs on the connection's executor.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "serve/http/answer.h"
#include "serve/http/request_parser.h"
#include "serve/http/server.h"
#include "serve/http/stream.h"

namespace embedforge::serve {

class Connection;
using Clock = std::chrono::steady_clock;

/// All connections of a server. Thread-safe.
class Connections {
 public:
  void add(Connection* connection);
  void remove(Connection* connection);
  size_t count() const;
  std::vector<std::shared_ptr<Connection>> all() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_set<Connection*> set_;
};

/// What the connections of a server share.
struct Shared {
  Shared(HttpOptions given, Handler& by)
      : options(std::move(given)), handler(by), cors(options.allow_origins) {}
  const HttpOptions options;
  Handler& handler;
  const Cors cors;
  std::atomic<bool> draining = false;
  Connections connections;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `io`: what the stream's executor belongs to; answers that come after the server's end need it.
  Connection(std::unique_ptr<Stream> stream, std::shared_ptr<Shared> shared,
             std::shared_ptr<asio::io_context> io);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Lives until the connection is closed. From any thread.
  void start();
  /// Closes when a deadline has passed, or notices that the client is gone. From any thread.
  void check(Clock::time_point now);
  /// Since when it waits for a request and owes no answer; max() when it doesn't. From any thread.
  Clock::time_point idle_since() const;
  /// Ends at the next moment at which nothing is owed. From any thread.
  void drain();
  /// Ends now if it is idle. From any thread.
  void make_room();
  /// Ends now. From any thread.
  void abandon();

 private:
  enum class Phase { kIdle, kReading, kBetween, kEnding };
  enum class Until { kHeader, kBody };
  /// A request that is owed an answer.
  struct Owed {
    uint64_t number = 0;
    Request request;  // without its body
    bool http10 = false;
    bool last = false;  // of this connection
    Clock::time_point began = Clock::now();
    std::optional<Response> response;
  };
  class Reply;

  // connection.cc: its life and its answers.
  static awaitable<void> run(std::shared_ptr<Connection> self);
  static awaitable<void> write_answers(std::shared_ptr<Connection> self);
  awaitable<void> write_ready();
  awaitable<bool> write_all(std::string_view head, std::string_view body);
  awaitable<void> until_fewer_than(size_t owed);
  bool owes_at_least(size_t count) const;
  Owed* next_ready();
  std::string head_of(Owed& owed, bool ends);
  static bool sends_body(const Owed& owed);
  void finish_first(size_t body_bytes, bool ends);
  void owe(Owed owed);
  void deliver(uint64_t number, Response response);
  void report(const Owed& owed, const Response& sent, uint64_t bytes);
  bool ends_with(const Owed& owed);
  void note_idle();
  void close_idle();
  void client_gone();
  void give_up();
  void expire();

  // connection_read.cc: its requests.
  awaitable<void> serve();
  awaitable<bool> wait_for_request();
  awaitable<bool> take_request();
  awaitable<bool> read_header(RequestParser& parser);
  awaitable<bool> read_body(RequestParser& parser);
  awaitable<bool> answer_early(RequestParser& parser, Response response);
  awaitable<bool> send_continue();
  awaitable<bool> fill(size_t count);
  awaitable<void> linger();
  std::optional<Response> admit(RequestParser& parser);
  bool feed(RequestParser& parser, Until until);
  bool refuse(RequestParser& parser);
  bool hand_over(RequestParser& parser);

  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<asio::io_context> io_;
  const std::unique_ptr<Stream> stream_;
  boost::beast::flat_buffer input_;
  std::list<Owed> owed_;
  std::shared_ptr<std::atomic<bool>> cancelled_;  // of all its requests; made with the first
  uint64_t next_number_ = 0;
  asio::steady_timer changed_;  // never expires: cancelled when an answer has gone out
  Clock::time_point last_active_ = Clock::now();
  Phase phase_ = Phase::kReading;
  bool writing_ = false;
  bool timed_out_ = false;  // reading was stopped for slowness
  bool closing_ = false;    // no further request is taken
  bool lingers_ = false;    // the client may be sending what isn't read any more
  bool dead_ = false;       // nothing can be written any more
  std::atomic<int64_t> read_deadline_, write_deadline_;  // Clock's ticks
  std::atomic<int64_t> idle_since_;
  std::atomic<bool> paused_ = false;  // it doesn't read, for too much is owed
};

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
int64_t ticks_after(double seconds);
Response bug_answer();

}  // namespace embedforge::serve
