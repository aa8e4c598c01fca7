// Takes: requests from the HTTP core. Gives: answers: a dialect's route, or what the server says of
// itself (health, metrics, pages, reload). Never: touches a socket.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <optional>
#include <string>

#include "serve/flow.h"
#include "serve/http/handler.h"
#include "serve/metrics.h"
#include "serve/models.h"
#include "serve/queue.h"

namespace embedforge::serve {

struct ServiceOptions {
  QueueOptions queue;
  double stall_seconds = 60;  // without a finished batch while there is work: /health says 503
  /// The name of the key that lets a request in; nullopt: none does. Empty: everybody may.
  std::function<std::optional<std::string>(const Request&)> key_of;
  /// After each answer, for the log.
  std::function<void(const Request& request, const Response& sent, uint64_t body_bytes,
                     double seconds)>
      log;
};

class Service : public Handler {
 public:
  Service(Models& models, ServiceOptions options);
  ~Service() override;

  std::optional<Response> admit(Request& request, std::optional<uint64_t> length) override;
  void handle(Request request, Cancelled cancelled, Done done) override;
  Response refuse(const Request& request, int status, const std::string& why) override;
  void finished(const Request& request, const Response& sent, uint64_t body_bytes,
                double seconds) override;

  /// /readyz says 503 from now on; requests are still answered.
  void begin_drain() { draining_ = true; }
  /// Models::reload() on another thread; `done` gets why it failed, or "".
  void reload(std::function<void(const std::string& failure)> done);
  /// To be called now and then (every second, say): unloads idle models.
  void tick() { models_.unload_idle(); }
  const Metrics& metrics() const { return metrics_; }

 private:
  /// The route of a path, and the model that /models/NAME/… chose ("": none).
  struct Found {
    const Route* route = nullptr;
    std::string allowed;  // the path's methods, where this isn't one of them
    std::string model;
  };
  Found find(const Request& request) const;
  std::optional<Response> own_answer(const Request& request) const;
  Response health() const;
  Response failure(const Request& request, const Failure& failure);

  Models& models_;
  ServiceOptions options_;
  Metrics metrics_;
  std::atomic<bool> draining_ = false;
  boost::asio::thread_pool workers_;
  Queue queue_;
};

}  // namespace embedforge::serve
