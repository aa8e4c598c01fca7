// Takes: where to listen and a Handler. Gives: HTTP/1.1 on TCP, TLS and unix sockets: keep-alive,
// pipelining, limits of size and time, draining. Never: knows routes, models or JSON.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "serve/http/handler.h"

namespace embedforge::serve {

struct HttpOptions {
  std::string host = "127.0.0.1";                  // "": no TCP
  int port = 8080;                                 // 0: any free one
  std::filesystem::path uds;                       // a unix socket, besides; "": none
  std::filesystem::path tls_cert, tls_key;         // PEM; both or none
  std::vector<std::string> allow_origins = {"*"};  // of CORS
  size_t payload_limit = 8'000'000;
  size_t header_limit = 16'384;
  double header_timeout = 10;  // seconds from a request's first byte to the end of its header
  double body_timeout = 60;    // without any progress of at least 1 kB/s
  double idle_timeout = 75;    // of a connection that is kept alive
  double write_timeout = 60;   // without progress
  size_t max_pipelined = 16;   // requests of a connection that are worked on at once
  size_t max_connections = 0;  // 0: what the process may open
  int threads = 1;             // that read and write sockets
};

class HttpServer {
 public:
  /// Binds and listens. Errors: kBadInput (address in use, no such address, certificate, key),
  /// kNotSupported (TLS in a build without it).
  HttpServer(HttpOptions options, Handler& handler);
  ~HttpServer();

  int port() const;
  /// Serves until drain() has ended.
  void run();
  /// Accepts nothing new, closes idle connections, answers what was accepted (with
  /// `Connection: close`), for at most that long; then run() returns. From any thread, a second
  /// call ends at once.
  void drain(double seconds);
  size_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge::serve
