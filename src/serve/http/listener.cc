#include "serve/http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "embedforge/error.h"

namespace embedforge::serve {
namespace {

constexpr int kBacklog = 4096;

std::string reason_of(int error) { return std::generic_category().message(error); }

/// IPv4 and IPv6 addresses hold the port at the same place.
void set_port(sockaddr* address, int port) {
  reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(static_cast<uint16_t>(port));
}

/// nullopt, and errno says why.
std::optional<Listener> listen_at(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::nullopt;
  Listener owner(fd, family);
  const int on = 1;
  if (family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  const int only = family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) ? 1 : 0;
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  if (bind(fd, address, size) != 0 || listen(fd, kBacklog) != 0) return std::nullopt;
  return owner;
}

/// Whether something answers at that socket file.
bool is_live(const sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool live = result == 0 || errno == EAGAIN;
  close(fd);
  return live;
}

void remove_stale(const sockaddr_un& address) {
  struct stat status {};
  if (lstat(address.sun_path, &status) != 0) return;
  const std::string flag = std::string("--uds ") + address.sun_path;
  if (!S_ISSOCK(status.st_mode)) throw_bad_input(flag + ": there is a file that is no socket");
  if (is_live(address)) throw_bad_input(flag + ": another server listens there");
  unlink(address.sun_path);
}

}  // namespace

Listener::~Listener() {
  if (fd_ >= 0) close(fd_);
}

int Listener::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (family_ == AF_UNIX || getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

std::vector<Listener> listen_tcp(const std::string& host, int port) {
  const std::string at = "--host " + host + " --port " + std::to_string(port) + ": ";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failed != 0) throw_bad_input(at + "no such address (" + gai_strerror(failed) + ")");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  std::vector<Listener> listeners;
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    set_port(one->ai_addr, listeners.empty() ? port : listeners.front().port());
    auto listener = listen_at(one->ai_family, one->ai_addr, one->ai_addrlen);
    if (listener) {
      listeners.push_back(std::move(*listener));
    } else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
      throw_bad_input(at + reason_of(errno) + (errno == EADDRINUSE ? "; choose another port" : ""));
    } else {
      error = errno;
    }
  }
  if (listeners.empty()) throw_bad_input(at + reason_of(error));
  return listeners;
}

Listener listen_unix(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = path.native();
  if (name.size() >= sizeof(address.sun_path))
    throw_bad_input("--uds " + name + ": the path of a socket has at most " +
                    std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  std::memcpy(address.sun_path, name.data(), name.size());
  remove_stale(address);
  auto listener = listen_at(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (!listener) throw_bad_input("--uds " + name + ": " + reason_of(errno));
  return std::move(*listener);
}

}  // namespace embedforge::serve
