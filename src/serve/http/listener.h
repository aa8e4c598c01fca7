// Takes: an address or a path. Gives: sockets that listen there. Never: takes over a socket that
// another server listens on.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace embedforge::serve {

/// A listening socket, not blocking; closed with it.
class Listener {
 public:
  Listener(int fd, int family) : fd_(fd), family_(family) {}
  Listener(Listener&& other) noexcept : fd_(std::exchange(other.fd_, -1)), family_(other.family_) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int family() const { return family_; }
  /// Of TCP, as the system chose it; 0 of a unix socket.
  int port() const;
  /// Gives the descriptor away.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
  int family_;
};

/// One for each address of `host` (localhost may have two), all with the same port. Errors:
/// kBadInput (no such host, address in use, not allowed).
std::vector<Listener> listen_tcp(const std::string& host, int port);

/// A socket file that no process listens on is replaced. Errors: kBadInput (in use, no socket, path
/// too long, not allowed).
Listener listen_unix(const std::filesystem::path& path);

}  // namespace embedforge::serve
