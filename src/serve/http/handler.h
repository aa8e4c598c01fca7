// What the HTTP core calls for each request: the only thing that it knows of the rest.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "serve/message.h"

namespace embedforge::serve {

/// True once the client is gone: its request needs no answer any more.
using Cancelled = std::shared_ptr<const std::atomic<bool>>;

/// Gives the answer back; called once, from any thread.
using Done = std::function<void(Response)>;

/// Thread-safe.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Before the body is read: an answer when the request is refused (401, 404, 405, 413, 415, 503).
  /// `length`: Content-Length, where it is known. Sets request.key.
  virtual std::optional<Response> admit(Request& request, std::optional<uint64_t> length) = 0;
  /// Never blocks for long: work goes to other threads.
  virtual void handle(Request request, Cancelled cancelled, Done done) = 0;
  /// What the HTTP core itself refuses (400 malformed, 408 slow, 413 and 431 too large), in the
  /// dialect of the path as far as it is known.
  virtual Response refuse(const Request& request, int status, const std::string& why) = 0;
  /// After the answer went out (status 0: the client was gone before), for logs and metrics.
  /// `sent`: the answer without its body.
  virtual void finished(const Request& request, const Response& sent, uint64_t body_bytes,
                        double seconds) = 0;
};

}  // namespace embedforge::serve
