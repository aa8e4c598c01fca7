// A server of its own for each test, with a handler that can wait, fail and hold requests back, and
// a client that speaks to it byte by byte.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "serve/http/server.h"

namespace embedforge::serve {

/// A blocking socket with a time limit. Reads give "" at the end of the stream.
class RawClient {
 public:
  explicit RawClient(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  explicit RawClient(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    open(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the server has closed; its answer tells why
      text.remove_prefix(static_cast<size_t>(count));
    }
  }
  /// One answer: its header and body in one text. "": the connection has ended before it was whole.
  std::string answer(bool without_body = false) {
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return "";
    }
    const size_t length = buffer_.find("Content-Length: ");
    const size_t body = length < end && !without_body ? std::stoul(buffer_.substr(length + 16)) : 0;
    while (buffer_.size() < end + 4 + body) {
      if (!fill()) return "";
    }
    const std::string one = buffer_.substr(0, end + 4 + body);
    buffer_.erase(0, one.size());
    return one;
  }
  /// Whether the server closes within a second, having sent nothing more.
  bool ends() { return buffer_.empty() && !fill(1000); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Closes with a reset.
  void reset() {
    const linger hard = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close();
  }
  void finish_writing() { shutdown(fd_, SHUT_WR); }
  int descriptor() const { return fd_; }

 private:
  void open(int family, const sockaddr* address, socklen_t size) {
    fd_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd_, address, size) != 0) {
      close();
      throw std::runtime_error("the client can't connect");
    }
  }
  bool fill(int milliseconds = 10000) {
    pollfd query = {fd_, POLLIN, 0};
    if (poll(&query, 1, milliseconds) != 1) {
      ADD_FAILURE() << "nothing came within " << milliseconds << " ms";
      return false;
    }
    char bytes[65536];
    const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    if (count <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(count));
    return true;
  }
  int fd_ = -1;
  std::string buffer_;
};

/// /echo answers method, path, query and body; /hold waits for release(), /throw throws, /drop
/// forgets its answer, /big sends 4 MB, /locked is refused, anything else is answered at once.
class FakeHandler : public Handler {
 public:
  struct Finished {
    std::string path;
    int status;
    uint64_t bytes;
  };
  ~FakeHandler() override { release_all(); }

  std::optional<Response> admit(Request& request, std::optional<uint64_t>) override {
    if (request.path == "/locked") return Response{.status = 401, .body = "locked"};
    if (request.path == "/admit-throws") throw std::runtime_error("no");
    request.key = "tester";
    return std::nullopt;
  }
  void handle(Request request, Cancelled cancelled, Done done) override {
    if (request.path == "/throw") throw std::runtime_error("no");
    if (request.path == "/drop") return;
    const std::lock_guard lock(mutex_);
    handled_.push_back(request.path);
    flags_.push_back(cancelled);
    if (request.path.starts_with("/hold")) {
      held_.push_back({std::move(request), std::move(done)});
      changed_.notify_all();
      return;
    }
    // From another thread, as the engine does it.
    if (request.path.starts_with("/later")) {
      threads_.emplace_back([done = std::move(done), request] { done(answer_of(request)); });
    } else {
      done(answer_of(request));
    }
  }
  Response refuse(const Request& request, int status, const std::string& why) override {
    return {.status = status, .body = request.path + ": " + why};
  }
  void finished(const Request& request, const Response& sent, uint64_t bytes, double) override {
    const std::lock_guard lock(mutex_);
    finished_.push_back({request.path, sent.status, bytes});
    changed_.notify_all();
  }

  /// Answers a request that is held; the newest, if it is so.
  void release(bool newest = false) {
    Held held;
    {
      const std::lock_guard lock(mutex_);
      held = std::move(newest ? held_.back() : held_.front());
      newest ? held_.pop_back() : held_.pop_front();
    }
    held.done(answer_of(held.request));
  }
  void release_all() {
    while (!wait([this] { return held_.empty(); }, 0)) release();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  bool wait_held(size_t count) {
    return wait([&] { return held_.size() >= count; });
  }
  bool wait_finished(size_t count) {
    return wait([&] { return finished_.size() >= count; });
  }
  bool wait_cancelled() {
    for (int i = 0; i < 500; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (!flags_.empty() && *flags_.back()) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  std::vector<Finished> finished() {
    const std::lock_guard lock(mutex_);
    return finished_;
  }
  std::vector<std::string> handled() {
    const std::lock_guard lock(mutex_);
    return handled_;
  }

 private:
  struct Held {
    Request request;
    Done done;
  };
  static Response answer_of(const Request& request) {
    if (request.path == "/big") return {.body = std::string(4 << 20, 'x')};
    if (request.path == "/empty") return {.status = 204, .content_type = ""};
    if (request.path == "/evil") {
      return {.body = "ok", .headers = {{"X-Model", "a\r\nSet-Cookie: b"}}};
    }
    return {.content_type = "text/plain",
            .body = request.method + " " + request.path + "?" + request.query + " " + request.body};
  }
  template <typename Condition>
  bool wait(Condition condition, int seconds = 5) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(seconds), condition);
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Held> held_;
  std::vector<Cancelled> flags_;
  std::vector<std::string> handled_;
  std::vector<Finished> finished_;
  std::vector<std::thread> threads_;
};

class HttpTest : public testing::Test {
 protected:
  HttpTest() {
    options.port = 0;
    options.payload_limit = 200'000;
    options.threads = 2;
  }
  ~HttpTest() override { stop(); }

  void start() {
    server = std::make_unique<HttpServer>(options, handler);
    thread_ = std::thread([this] { server->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    handler.release_all();
    server->drain(0);
    thread_.join();
  }
  /// Waits until run() has returned.
  void join() { thread_.join(); }
  RawClient client() { return RawClient(server->port()); }
  static std::string get(const std::string& path, const std::string& headers = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n";
  }
  static std::string post(const std::string& path, const std::string& body,
                          const std::string& headers = "") {
    return "POST " + path +
           " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           headers + "\r\n" + body;
  }
  /// What one request over a connection of its own is answered.
  std::string ask(const std::string& request) {
    RawClient one = client();
    one.send(request);
    return one.answer();
  }

  HttpOptions options;
  FakeHandler handler;
  std::unique_ptr<HttpServer> server;

 private:
  std::thread thread_;
};

}  // namespace embedforge::serve
