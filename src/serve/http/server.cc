#include "serve/http/server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <thread>

#include "serve/http/connection.h"
#include "serve/http/listener.h"
#include "serve/http/tls.h"

namespace embedforge::serve {
namespace {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using std::chrono::milliseconds;

constexpr size_t kSpareDescriptors = 64;  // left for files and listeners
constexpr milliseconds kFullPause(20);    // between attempts when no descriptor is free
constexpr milliseconds kDrainTick(10);
constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

/// Of open files, raised to what the system allows.
size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

Clock::duration seconds_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// How often deadlines are looked at: an eighth of the shortest.
Clock::duration tick_of(const HttpOptions& options) {
  const double shortest = std::min(
      {options.header_timeout, options.body_timeout, options.idle_timeout, options.write_timeout});
  return seconds_of(std::clamp(shortest / 8, 0.01, 1.0));
}

}  // namespace

struct HttpServer::Impl {
  struct Listening {
    Acceptor acceptor;
    int family;
  };

  Impl(HttpOptions options, Handler& handler)
      : io(std::make_shared<asio::io_context>(options.threads)),
        shared(std::make_shared<Shared>(std::move(options), handler)),
        control(asio::make_strand(*io)),
        watch_timer(control) {}

  void listen();
  void open(Listener listener);
  awaitable<void> accept(Listening& from);
  awaitable<void> wait_for_room();
  Socket new_socket();
  void take(Socket socket, int family);
  void take_waiting(Listening& from);
  void remove_uds();
  void close_idlest();
  awaitable<void> watch();
  void start_drain(double seconds);
  bool is_needed() const { return !drains || shared->connections.count() > 0; }
  bool full() const { return shared->connections.count() >= max_connections; }

  std::shared_ptr<asio::io_context> io;
  std::shared_ptr<Shared> shared;
  asio::strand<asio::io_context::executor_type> control;  // of the acceptors and the watch
  std::unique_ptr<Tls> tls;
  asio::steady_timer watch_timer;
  std::list<Listening> listening;
  size_t max_connections = 0;
  int port = 0;
  dev_t uds_device = 0;  // of the socket file that is ours
  ino_t uds_inode = 0;
  bool drains = false;  // start_drain() has run
  Clock::time_point drain_deadline = Clock::time_point::max();
};

void HttpServer::Impl::open(Listener listener) {
  const int family = listener.family();
  if (family != AF_UNIX && port == 0) port = listener.port();
  const asio::generic::stream_protocol protocol(family, 0);
  listening.push_back({Acceptor(control, protocol, listener.release()), family});
}

void HttpServer::Impl::listen() {
  const HttpOptions& options = shared->options;
  if (!options.tls_cert.empty() || !options.tls_key.empty())
    tls = make_tls(options.tls_cert, options.tls_key);
  if (!options.host.empty()) {
    for (Listener& listener : listen_tcp(options.host, options.port)) open(std::move(listener));
  }
  if (!options.uds.empty()) {
    open(listen_unix(options.uds));
    struct stat status {};
    if (stat(options.uds.c_str(), &status) == 0) {
      uds_device = status.st_dev;
      uds_inode = status.st_ino;
    }
  }
  const size_t descriptors = raise_descriptor_limit();
  const size_t allowed = descriptors - std::min(descriptors / 2, kSpareDescriptors);
  max_connections =
      options.max_connections > 0 ? std::min(options.max_connections, allowed) : allowed;
  for (Listening& one : listening) asio::co_spawn(control, accept(one), asio::detached);
  asio::co_spawn(control, watch(), asio::detached);
}

/// Of a connection; with several threads its calls take turns.
Socket HttpServer::Impl::new_socket() {
  if (shared->options.threads > 1) return Socket(asio::make_strand(*io));
  return Socket(*io);
}

awaitable<void> HttpServer::Impl::accept(Listening& from) {
  while (from.acceptor.is_open()) {
    if (full()) {
      (void)co_await from.acceptor.async_wait(Acceptor::wait_read, kResult);
      co_await wait_for_room();
      continue;
    }
    Socket socket = new_socket();
    const auto [error] = co_await from.acceptor.async_accept(socket, kResult);
    if (!error) {
      take(std::move(socket), from.family);
    } else if (from.acceptor.is_open()) {
      co_await wait_for_room();  // no descriptor or no memory: others keep theirs
    }
  }
}

/// Makes room for who waits among those that wait for nothing, and gives it time to come.
awaitable<void> HttpServer::Impl::wait_for_room() {
  close_idlest();
  asio::steady_timer timer(control, kFullPause);
  (void)co_await timer.async_wait(kResult);
}

void HttpServer::Impl::take(Socket socket, int family) {
  boost::system::error_code ignored;
  if (family != AF_UNIX) (void)socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  try {
    auto stream =
        tls && family != AF_UNIX ? tls->stream(std::move(socket)) : plain_stream(std::move(socket));
    std::make_shared<Connection>(std::move(stream), shared, io)->start();
  } catch (...) {  // out of memory: the client sees a closed connection
    return;
  }
}

/// Those that the system has connected already are served; who comes later is refused.
void HttpServer::Impl::take_waiting(Listening& from) {
  boost::system::error_code error;
  (void)from.acceptor.non_blocking(true, error);
  while (!error && !full()) {
    Socket socket = new_socket();
    (void)from.acceptor.accept(socket, error);
    if (!error) take(std::move(socket), from.family);
  }
  (void)from.acceptor.close(error);
}

void HttpServer::Impl::close_idlest() {
  auto all = shared->connections.all();
  std::vector<std::pair<Clock::time_point, Connection*>> idle;
  for (const auto& one : all) {
    const auto since = one->idle_since();
    if (since != Clock::time_point::max()) idle.emplace_back(since, one.get());
  }
  const size_t count = std::min(idle.size(), max_connections / 256 + 1);
  std::ranges::partial_sort(idle, idle.begin() + static_cast<std::ptrdiff_t>(count));
  for (size_t i = 0; i < count; ++i) idle[i].second->make_room();
}

/// Looks at the deadlines of all connections, and ends with the last of them after drain().
awaitable<void> HttpServer::Impl::watch() {
  const auto tick = tick_of(shared->options);
  while (is_needed()) {
    watch_timer.expires_after(shared->draining ? Clock::duration(kDrainTick) : tick);
    (void)co_await watch_timer.async_wait(kResult);
    const auto now = Clock::now();
    for (const auto& one : shared->connections.all()) {
      if (now >= drain_deadline) {
        one->abandon();
      } else {
        one->check(now);
      }
    }
  }
}

void HttpServer::Impl::start_drain(double seconds) {
  drains = true;
  drain_deadline = Clock::now() + seconds_of(std::clamp(seconds, 0.0, 1e6));
  for (Listening& one : listening) {
    if (one.acceptor.is_open()) take_waiting(one);
  }
  remove_uds();
  for (const auto& one : shared->connections.all()) one->drain();
  watch_timer.cancel();
}

void HttpServer::Impl::remove_uds() {
  const auto& path = shared->options.uds;
  struct stat status {};
  if (uds_inode == 0 || stat(path.c_str(), &status) != 0) return;
  if (status.st_dev == uds_device && status.st_ino == uds_inode) unlink(path.c_str());
  uds_inode = 0;
}

HttpServer::HttpServer(HttpOptions options, Handler& handler)
    : impl_(std::make_unique<Impl>(std::move(options), handler)) {
  impl_->listen();
}

HttpServer::~HttpServer() { impl_->remove_uds(); }

int HttpServer::port() const { return impl_->port; }

size_t HttpServer::connections() const { return impl_->shared->connections.count(); }

void HttpServer::drain(double seconds) {
  // From now on, not from when a thread comes to it: what is answered next says that it is the
  // last.
  if (impl_->shared->draining.exchange(true)) seconds = 0;
  asio::post(impl_->control, [impl = impl_.get(), seconds] { impl->start_drain(seconds); });
}

void HttpServer::run() {
  std::vector<std::thread> others;
  for (int i = 1; i < impl_->shared->options.threads; ++i)
    others.emplace_back([io = impl_->io] { io->run(); });
  impl_->io->run();
  for (std::thread& other : others) other.join();
}

}  // namespace embedforge::serve
