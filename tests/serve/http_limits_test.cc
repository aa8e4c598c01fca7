#include <gmock/gmock.h>

#include "serve/http_fixture.h"

namespace embedforge::serve {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Malformed {
  const char* what;
  std::string bytes;
  int status;
};

std::vector<Malformed> malformed_requests() {
  const std::string line = "POST /echo HTTP/1.1\r\n";
  const std::string host = line + "Host: t\r\n";
  const std::string chunked = host + "Transfer-Encoding: chunked\r\n\r\n";
  return {
      {"two lengths", host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400},
      {"two equal lengths", host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"a list of lengths", host + "Content-Length: 3, 3\r\n\r\nabc", 400},
      {"a signed length", host + "Content-Length: +3\r\n\r\nabc", 400},
      {"a negative length", host + "Content-Length: -1\r\n\r\n", 400},
      {"a hexadecimal length", host + "Content-Length: 0x3\r\n\r\nabc", 400},
      {"an empty length", host + "Content-Length:\r\n\r\n", 400},
      {"a length past 64 bits", host + "Content-Length: 18446744073709551617\r\n\r\n", 400},
      {"length and coding",
       host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"coding and length",
       host + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
      {"another coding", host + "Transfer-Encoding: gzip\r\n\r\n", 400},
      {"two codings", host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked twice",
       host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"a coding with a tab inside", host + "Transfer-Encoding: chun\tked\r\n\r\n", 400},
      {"a coding with a vertical tab", host + "Transfer-Encoding: \vchunked\r\n\r\n", 400},
      {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"a blank before the colon", host + "Content-Length : 3\r\n\r\nabc", 400},
      {"a blank before the name", line + " Host: t\r\n\r\n", 400},
      {"a folded field", host + "X: a\r\n b\r\n\r\n", 400},
      {"a bare line feed", "GET /echo HTTP/1.1\nHost: t\n\n", 400},
      {"a bare line feed later", line + "Host: t\nX: y\r\n\r\n", 400},
      {"a bare carriage return", host + "X: a\rContent-Length: 3\r\n\r\nabc", 400},
      {"a NUL in a value", host + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"a NUL in a name", host + std::string("X\0: a\r\n\r\n", 9), 400},
      {"a field without a colon", host + "nonsense\r\n\r\n", 400},
      {"a field without a name", host + ": x\r\n\r\n", 400},
      {"no host", line + "\r\n", 400},
      {"several hosts", host + "Host: t\r\n\r\n", 400},
      {"a host with a path", line + "Host: t/x\r\n\r\n", 400},
      {"no version", "GET /echo\r\n\r\n", 400},
      {"a lower-case version", "GET / http/1.1\r\nHost: t\r\n\r\n", 400},
      {"a blank too many", "GET  / HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"a method that is no token", "G@T / HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"a target without a slash", "GET echo HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"a target with a fragment", "GET /a#b HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"a target beyond ASCII", "GET /\xC3\xA9 HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"a broken escape", "GET /%4 HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"an escaped NUL", "GET /%00 HTTP/1.1\r\nHost: t\r\n\r\n", 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"TLS", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03", 400},
      {"an unknown expectation", host + "Expect: more\r\nContent-Length: 1\r\n\r\nx", 417},
      {"a chunk without a size", chunked + "\r\nabc\r\n0\r\n\r\n", 400},
      {"a chunk's size with a sign", chunked + "+3\r\nabc\r\n0\r\n\r\n", 400},
      {"a chunk's size with 0x", chunked + "0x3\r\nabc\r\n0\r\n\r\n", 400},
      {"a chunk's size with a blank", chunked + "3 \r\nabc\r\n0\r\n\r\n", 400},
      {"a chunk's size past 64 bits", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n", 400},
      {"a chunk longer than its size", chunked + "2\r\nabc\r\n0\r\n\r\n", 400},
      {"a chunk with a bare line feed", chunked + "3\nabc\r\n0\r\n\r\n", 400},
      {"a chunk that ends with a line feed", chunked + "3\r\nabc\n0\r\n\r\n", 400},
      {"a chunk's endless extension", chunked + "3;" + std::string(1000, 'x'), 400},
      {"a malformed trailer", chunked + "0\r\nnonsense\r\n\r\n", 400},
      {"a chunk over the limit", chunked + "fffff\r\n", 413},
      {"an endless header", host + "X: " + std::string(20000, 'x'), 431},
      {"endless fields",
       host +
           [] {
             std::string fields;
             for (int i = 0; i < 2000; ++i) fields += "X: yyyyyy\r\n";
             return fields;
           }(),
       431},
      {"endless trailers", chunked + "0\r\nX: " + std::string(20000, 'x'), 431},
  };
}

TEST_F(HttpTest, RefusesWhatTwoReadersCouldTakeDifferently) {
  start();
  const std::string smuggled = get("/smuggled");
  for (const Malformed& one : malformed_requests()) {
    RawClient attacker = client();
    attacker.send(one.bytes + smuggled);
    EXPECT_THAT(attacker.answer(), StartsWith("HTTP/1.1 " + std::to_string(one.status) + " "))
        << one.what;
    attacker.finish_writing();
    EXPECT_TRUE(attacker.ends()) << one.what;
  }
  EXPECT_THAT(handler.handled(), ElementsAre());
  EXPECT_THAT(ask(get("/echo")), EndsWith("GET /echo? "));
}

TEST_F(HttpTest, AnswersWhatCameBeforeAMalformedRequest) {
  start();
  RawClient one = client();
  one.send(get("/hold") + "nonsense\r\n\r\n");
  ASSERT_TRUE(handler.wait_held(1));
  handler.release();
  EXPECT_THAT(one.answer(), HasSubstr("GET /hold"));
  EXPECT_THAT(one.answer(), StartsWith("HTTP/1.1 400 "));
  one.finish_writing();
  EXPECT_TRUE(one.ends());
}

TEST_F(HttpTest, RefusesALargeBodyWithAnAnswerThatArrives) {
  start();
  RawClient one = client();
  const std::string huge(4'000'000, 'x');
  one.send(post("/echo", huge));
  const std::string answer = one.answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer, EndsWith("/echo: length limit exceeded"));
  EXPECT_THAT(ask(post("/echo", std::string(200'000, 'x'))), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(post("/echo", std::string(200'001, 'x'))), StartsWith("HTTP/1.1 413 "));
  RawClient refused = client();
  refused.send(post("/locked", huge));
  EXPECT_THAT(refused.answer(), StartsWith("HTTP/1.1 401 "));
}

TEST_F(HttpTest, EndsSlowHeadersAndSlowBodies) {
  options.header_timeout = options.body_timeout = 0.15;
  start();
  RawClient silent = client(), header = client(), body = client(), trickle = client();
  header.send("POST /echo HTTP/1.1\r\nHo");
  body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  trickle.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n");
  std::thread dripping([&] {
    for (int i = 0; i < 20; ++i) {  // progress, but 50 bytes a second
      trickle.send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  EXPECT_THAT(header.answer(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(body.answer(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(trickle.answer(), StartsWith("HTTP/1.1 408 "));
  dripping.join();
  silent.send(get("/echo"));  // who sends nothing isn't slow
  EXPECT_THAT(silent.answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTest, ClosesIdleConnectionsButNotThoseThatWait) {
  options.idle_timeout = 0.15;
  start();
  RawClient idle = client(), waiting = client();
  waiting.send(get("/hold"));
  ASSERT_TRUE(handler.wait_held(1));
  EXPECT_TRUE(idle.ends());
  handler.release();
  EXPECT_THAT(waiting.answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(waiting.ends());
}

TEST_F(HttpTest, GivesUpOnAClientThatReadsNothing) {
  options.write_timeout = 0.15;
  start();
  RawClient one = client();
  one.send(get("/big") + get("/big") + get("/big"));
  ASSERT_TRUE(handler.wait_finished(3));
  EXPECT_EQ(handler.finished().back().status, 0);
}

}  // namespace
}  // namespace embedforge::serve
