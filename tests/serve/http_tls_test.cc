#include <gmock/gmock.h>

#include "embedforge/error.h"
#include "serve/http_fixture.h"
#include "support/expect_error.h"
#include "temporary_folder.h"

#ifdef EMBEDFORGE_TLS
#include <openssl/ssl.h>
#endif

namespace embedforge::serve {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

#ifdef EMBEDFORGE_TLS

/// Makes cert.pem and key.pem.
void make_certificate(const std::filesystem::path& folder) {
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj /CN=localhost -keyout " +
      (folder / "key.pem").string() + " -out " + (folder / "cert.pem").string() + " 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

class TlsClient {
 public:
  explicit TlsClient(int port) : socket_(port), context_(SSL_CTX_new(TLS_client_method())) {
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_.descriptor());
    if (SSL_connect(ssl_) != 1) throw std::runtime_error("no TLS");
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  void send(const std::string& text) {
    ASSERT_EQ(SSL_write(ssl_, text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  /// Until `end` is there, or the connection has ended.
  std::string read_until(const std::string& end) {
    std::string text;
    char bytes[16384];
    while (!text.ends_with(end)) {
      const int count = SSL_read(ssl_, bytes, sizeof(bytes));
      if (count <= 0) break;
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }
  bool ended_properly() {
    char byte = 0;
    return SSL_read(ssl_, &byte, 1) <= 0 && (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

 private:
  RawClient socket_;
  SSL_CTX* context_;
  SSL* ssl_;
};

TEST_F(HttpTest, SpeaksTls) {
  const TemporaryFolder folder;
  make_certificate(folder.path());
  options.tls_cert = folder.path() / "cert.pem";
  options.tls_key = folder.path() / "key.pem";
  options.header_timeout = 0.5;
  start();
  RawClient silent = client();  // never speaks TLS, and disturbs nobody
  RawClient plain = client();
  plain.send(get("/echo"));
  EXPECT_THAT(plain.answer(), testing::Not(HasSubstr("200 OK")));
  {
    TlsClient one(server->port());
    for (int i = 0; i < 3; ++i) {
      one.send(post("/echo", "secret" + std::to_string(i)));
      EXPECT_THAT(one.read_until("secret" + std::to_string(i)), StartsWith("HTTP/1.1 200 "));
    }
    one.send(get("/hold/1") + get("/hold/2"));
    ASSERT_TRUE(handler.wait_held(2));
    handler.release(true);
    handler.release();
    EXPECT_THAT(one.read_until("/hold/2? "), HasSubstr("/hold/1? "));
    one.send(post("/big", std::string(150'000, 'x'), "Connection: close\r\n"));
    EXPECT_GT(one.read_until("never").size(), size_t{4 << 20});
    EXPECT_TRUE(one.ended_properly());
  }
  TlsClient leaves(server->port());
  leaves.send(get("/hold"));
  ASSERT_TRUE(handler.wait_held(1));
  EXPECT_TRUE(silent.ends());
  server->drain(10);
  handler.release();
  EXPECT_THAT(leaves.read_until("/hold? "), HasSubstr("Connection: close\r\n"));
}

TEST_F(HttpTest, NamesTheTlsFileThatIsWrong) {
  const TemporaryFolder folder;
  make_certificate(folder.path());
  const auto refused = [&] {
    return error_of(ErrorCode::kBadInput, [&] { HttpServer never(options, handler); });
  };
  options.tls_cert = folder.path() / "cert.pem";
  EXPECT_THAT(refused(), HasSubstr("--tls-key"));
  options.tls_key = folder.path() / "missing.pem";
  EXPECT_THAT(refused(), HasSubstr("missing.pem"));
  options.tls_key = options.tls_cert;
  EXPECT_THAT(refused(), HasSubstr("private key in PEM"));
  options.tls_cert = folder.path() / "key.pem";
  EXPECT_THAT(refused(), HasSubstr("--tls-cert"));
}

#else

TEST_F(HttpTest, SaysThatThisBuildHasNoTls) {
  options.tls_cert = options.tls_key = "any.pem";
  EXPECT_THAT(error_of(ErrorCode::kNotSupported, [&] { HttpServer never(options, handler); }),
              HasSubstr("EMBEDFORGE_TLS"));
}

#endif

}  // namespace
}  // namespace embedforge::serve
