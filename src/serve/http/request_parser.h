// Takes: the bytes of a connection as they come. Gives: one request of them, or why it is refused.
// Never: guesses. What two readers of HTTP/1.1 could take for different requests (RFC 9112, 11.2)
// is refused: folded or bare-LF lines, two lengths, other codings than chunked, several hosts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/message.h"

namespace embedforge::serve {

class RequestParser {
 public:
  RequestParser(size_t header_limit, size_t payload_limit);

  /// Takes what it can and returns how much that was; what is left (part of a line, or what follows
  /// the request) is to be given again with more behind it. With the header in, it returns before
  /// the body.
  size_t feed(std::string_view bytes);

  bool started() const { return header_bytes_ > 0; }
  bool header_done() const { return state_ >= State::kBody; }
  bool done() const { return state_ == State::kDone; }
  /// 0, or the status that refuses the request: 400, 413, 417, 431, 505. Nothing after it is read.
  int failed() const { return failed_; }
  const std::string& why() const { return why_; }

  /// As far as it is known. Once the header is in: all but the body.
  Request& request() { return request_; }
  /// Of Content-Length; 0 for a request without a body; nullopt for a chunked one.
  std::optional<uint64_t> length() const;
  bool http10() const { return http10_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }

 private:
  enum class State {
    kRequestLine,
    kFields,
    kBody,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailers,
    kDone
  };

  void fail(int status, std::string why);
  std::optional<std::string_view> take_line(std::string_view bytes, size_t& used, size_t limit);
  void read_request_line(std::string_view line);
  void read_target(std::string_view target);
  void read_field(std::string_view line);
  void read_chunk_size(std::string_view line);
  void finish_header();
  void check_framing();
  void read_connection();
  size_t feed_header(std::string_view bytes);
  size_t feed_body(std::string_view bytes);

  const size_t header_limit_, payload_limit_;
  State state_ = State::kRequestLine;
  Request request_;
  size_t header_bytes_ = 0;  // of the header, later of the trailers
  uint64_t left_ = 0;        // of the body or chunk
  bool chunked_ = false, http10_ = false, keep_alive_ = true, expects_continue_ = false;
  int failed_ = 0;
  std::string why_;
};

}  // namespace embedforge::serve
