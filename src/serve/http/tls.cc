#include "serve/http/tls.h"

#include "embedforge/error.h"

#ifdef EMBEDFORGE_TLS
#include <openssl/err.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string_view>
#endif

namespace embedforge::serve {

#ifdef EMBEDFORGE_TLS
namespace {

constexpr auto kTlsResult = asio::as_tuple(asio::use_awaitable);

class TlsStream : public Stream {
 public:
  TlsStream(Socket socket, asio::ssl::context& context)
      : Stream(std::move(socket)), tls_(socket_, context) {}

  awaitable<bool> handshake() override {
    const auto [error] = co_await tls_.async_handshake(asio::ssl::stream_base::server, kTlsResult);
    co_return !error;
  }
  awaitable<void> wait_readable() override { co_return; }  // decrypted bytes may wait: a read tells
  awaitable<Transferred> read_some(asio::mutable_buffer into) override {
    const auto [error, bytes] = co_await tls_.async_read_some(into, kTlsResult);
    co_return Transferred{error, bytes};
  }
  awaitable<Transferred> write_some(
      std::pair<asio::const_buffer, asio::const_buffer> from) override {
    const std::array<asio::const_buffer, 2> buffers = {from.first, from.second};
    const auto [error, bytes] = co_await tls_.async_write_some(buffers, kTlsResult);
    co_return Transferred{error, bytes};
  }
  awaitable<void> finish_writing() override {
    SSL_set_shutdown(tls_.native_handle(), SSL_RECEIVED_SHUTDOWN);  // don't wait for the peer's
    (void)co_await tls_.async_shutdown(kTlsResult);
    boost::system::error_code ignored;
    (void)socket_.shutdown(Socket::shutdown_send, ignored);
  }

 private:
  asio::ssl::stream<Socket&> tls_;
};

int choose_http11(SSL*, const unsigned char** chosen, unsigned char* size,
                  const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr std::string_view kOurs = "\x08http/1.1";
  unsigned char* match = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(kOurs.data());
  if (SSL_select_next_proto(&match, size, ours, kOurs.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = match;
  return SSL_TLSEXT_ERR_OK;
}

class OpensslTls : public Tls {
 public:
  OpensslTls(const std::filesystem::path& certificate, const std::filesystem::path& key)
      : context_(asio::ssl::context::tls_server) {
    context_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                         asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    SSL_CTX* native = context_.native_handle();
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_alpn_select_cb(native, choose_http11, nullptr);
    boost::system::error_code error;
    context_.use_certificate_chain_file(certificate.string(), error);
    if (error) refuse("--tls-cert", certificate, "must be a certificate chain in PEM", error);
    context_.use_private_key_file(key.string(), asio::ssl::context::pem, error);
    if (error) refuse("--tls-key", key, "must be the certificate's private key in PEM", error);
  }
  std::unique_ptr<Stream> stream(Socket socket) override {
    return std::make_unique<TlsStream>(std::move(socket), context_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& flag, const std::filesystem::path& file,
                                  const std::string& wanted,
                                  const boost::system::error_code& error) {
    ERR_clear_error();
    throw_bad_input(flag + " " + file.string() + ": " + wanted + " (" + error.message() + ")");
  }
  asio::ssl::context context_;
};

}  // namespace

std::unique_ptr<Tls> make_tls(const std::filesystem::path& certificate,
                              const std::filesystem::path& key) {
  if (certificate.empty() || key.empty())
    throw_bad_input("--tls-cert and --tls-key must be given together");
  return std::make_unique<OpensslTls>(certificate, key);
}

#else

std::unique_ptr<Tls> make_tls(const std::filesystem::path&, const std::filesystem::path&) {
  throw_not_supported("--tls-cert: this embedforge was built without TLS (CMake: EMBEDFORGE_TLS)");
}

#endif

}  // namespace embedforge::serve
