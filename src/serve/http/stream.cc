#include "serve/http/stream.h"

#include <poll.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace embedforge::serve {
namespace {

constexpr auto kPlainResult = asio::as_tuple(asio::use_awaitable);

class PlainStream : public Stream {
 public:
  using Stream::Stream;

  awaitable<bool> handshake() override { co_return true; }
  awaitable<void> wait_readable() override {
    co_await socket_.async_wait(Socket::wait_read, kPlainResult);
  }
  awaitable<Transferred> read_some(asio::mutable_buffer into) override {
    const auto [error, bytes] = co_await socket_.async_read_some(into, kPlainResult);
    co_return Transferred{error, bytes};
  }
  awaitable<Transferred> write_some(
      std::pair<asio::const_buffer, asio::const_buffer> from) override {
    const std::array<asio::const_buffer, 2> buffers = {from.first, from.second};
    const auto [error, bytes] = co_await socket_.async_write_some(buffers, kPlainResult);
    co_return Transferred{error, bytes};
  }
  awaitable<void> finish_writing() override {
    boost::system::error_code ignored;
    (void)socket_.shutdown(Socket::shutdown_send, ignored);
    co_return;
  }
};

}  // namespace

void Stream::stop_reading() {
  boost::system::error_code ignored;
  if (socket_.is_open()) (void)socket_.shutdown(Socket::shutdown_receive, ignored);
}

void Stream::close() {
  boost::system::error_code ignored;
  if (socket_.is_open()) (void)socket_.close(ignored);
}

bool Stream::has_input() {
  boost::system::error_code error;
  return socket_.is_open() && socket_.available(error) > 0;
}

bool Stream::peer_is_gone() {
  if (!socket_.is_open()) return true;
  pollfd query = {socket_.native_handle(), POLLRDHUP, 0};
  return poll(&query, 1, 0) == 1 && (query.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

std::unique_ptr<Stream> plain_stream(Socket socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace embedforge::serve
