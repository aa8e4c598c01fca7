// Takes: a certificate and its key. Gives: streams that speak TLS 1.2 or 1.3. Never: asks clients
// for certificates.
#pragma once

#include <filesystem>
#include <memory>

#include "serve/http/stream.h"

namespace embedforge::serve {

class Tls {
 public:
  virtual ~Tls() = default;
  virtual std::unique_ptr<Stream> stream(Socket socket) = 0;
};

/// Errors: kBadInput names the file that can't be read or doesn't fit; kNotSupported in a build
/// without TLS.
std::unique_ptr<Tls> make_tls(const std::filesystem::path& certificate,
                              const std::filesystem::path& key);

}  // namespace embedforge::serve
