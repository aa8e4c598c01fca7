// A connected socket, plain or with TLS, as coroutines see it. Nothing here throws; errors are
// values. All calls come from the connection's executor, a read and a write at most at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <utility>

namespace embedforge::serve {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;  // TCP or unix
using asio::awaitable;

struct Transferred {
  boost::system::error_code error;
  size_t bytes = 0;
};

class Stream {
 public:
  explicit Stream(Socket socket) : socket_(std::move(socket)) {}
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// False: the peer doesn't speak TLS with us.
  virtual awaitable<bool> handshake() = 0;
  /// Returns when a read may have something to say; until then no buffer is needed.
  virtual awaitable<void> wait_readable() = 0;
  virtual awaitable<Transferred> read_some(asio::mutable_buffer into) = 0;
  virtual awaitable<Transferred> write_some(
      std::pair<asio::const_buffer, asio::const_buffer> from) = 0;
  /// Tells the peer that nothing more comes; reading goes on.
  virtual awaitable<void> finish_writing() = 0;

  /// A read that waits ends as if the peer had closed; writing goes on.
  void stop_reading();
  void close();
  bool is_open() const { return socket_.is_open(); }
  /// Whether bytes wait in the system, unread.
  bool has_input();
  /// Whether the peer has closed its side or reset the connection, whatever is unread.
  bool peer_is_gone();
  asio::any_io_executor executor() { return socket_.get_executor(); }

 protected:
  Socket socket_;
};

std::unique_ptr<Stream> plain_stream(Socket socket);

}  // namespace embedforge::serve
