#include <gmock/gmock.h>

#include "serve/http_fixture.h"

namespace embedforge::serve {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(HttpTest, AnswersSeveralRequestsOnOneConnection) {
  start();
  RawClient one = client();
  for (int i = 0; i < 3; ++i) {
    one.send(post("/echo?a=b%20c", "body" + std::to_string(i)));
    const std::string answer = one.answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, EndsWith("POST /echo?a=b%20c body" + std::to_string(i)));
    EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
  }
  EXPECT_EQ(server->connections(), 1U);
}

TEST_F(HttpTest, ReadsARequestThatComesByteByByte) {
  start();
  RawClient one = client();
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;note=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: t\r\n\r\n";
  for (const std::string& request : {post("/echo", "hello"), chunked}) {
    for (const char byte : request) one.send(std::string_view(&byte, 1));
    EXPECT_THAT(one.answer(), HasSubstr("POST /echo? hello"));
  }
}

TEST_F(HttpTest, AnswersPipelinedRequestsInTheirOrder) {
  start();
  RawClient one = client();
  one.send(get("/hold/1") + get("/hold/2") + get("/later/3") + get("/hold/4"));
  ASSERT_TRUE(handler.wait_held(3));
  handler.release(true);
  handler.release(true);
  handler.release(true);
  for (const std::string path : {"/hold/1", "/hold/2", "/later/3", "/hold/4"})
    EXPECT_THAT(one.answer(), HasSubstr("GET " + path + "?"));
}

TEST_F(HttpTest, WorksOnNoMoreThanMaxPipelinedAtOnce) {
  options.max_pipelined = 3;
  start();
  RawClient one = client();
  std::string flood;
  for (int i = 0; i < 20; ++i) flood += get("/hold/" + std::to_string(i));
  one.send(flood);
  ASSERT_TRUE(handler.wait_held(3));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(handler.handled().size(), 3U);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(handler.wait_held(1));
    handler.release();
    EXPECT_THAT(one.answer(), HasSubstr("GET /hold/" + std::to_string(i) + "?"));
  }
}

TEST_F(HttpTest, ClosesWhereTheClientAsksForIt) {
  start();
  RawClient one = client();
  one.send(get("/echo", "Connection: close\r\n") + get("/never"));
  EXPECT_THAT(one.answer(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(one.ends());
  EXPECT_THAT(handler.handled(), ElementsAre("/echo"));
}

TEST_F(HttpTest, SpeaksHttp10) {
  start();
  RawClient one = client();
  one.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(one.answer(), HasSubstr("Connection: keep-alive\r\n"));
  one.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_THAT(one.answer(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(one.ends());
}

TEST_F(HttpTest, AnswersHeadWithoutABodyAnd204WithoutALength) {
  start();
  RawClient one = client();
  one.send("HEAD /echo HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_THAT(one.answer(true), HasSubstr("Content-Length: 12\r\n"));
  one.send(get("/empty"));
  const std::string answer = one.answer();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 No Content\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Type")));
}

TEST_F(HttpTest, AsksForTheBodyOfWhoWaitsForThat) {
  start();
  RawClient one = client();
  const std::string expect = "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  one.send(get("/hold") + "POST /echo HTTP/1.1\r\nHost: t\r\n" + expect);
  ASSERT_TRUE(handler.wait_held(1));
  handler.release();
  EXPECT_THAT(one.answer(), HasSubstr("GET /hold"));
  EXPECT_EQ(one.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  one.send("abc");
  EXPECT_THAT(one.answer(), EndsWith("POST /echo? abc"));
  one.send("POST /locked HTTP/1.1\r\nHost: t\r\n" + expect);
  EXPECT_THAT(one.answer(), StartsWith("HTTP/1.1 401 "));
  EXPECT_TRUE(one.ends());
}

TEST_F(HttpTest, DecodesThePath) {
  start();
  EXPECT_THAT(ask(get("/a%20b/%C3%A9%2f?x=%20")), EndsWith("GET /a b/\xC3\xA9/?x=%20 "));
  EXPECT_THAT(ask(get("http://other:80/path?q")), EndsWith("GET /path?q "));
  EXPECT_THAT(ask(get("http://other")), EndsWith("GET /? "));
  EXPECT_THAT(ask("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n"), EndsWith("OPTIONS *? "));
}

TEST_F(HttpTest, AnswersForAHandlerThatFails) {
  start();
  RawClient one = client();
  for (const std::string path : {"/throw", "/drop", "/admit-throws"}) {
    one.send(get(path));
    EXPECT_THAT(one.answer(), StartsWith("HTTP/1.1 500 ")) << path;
  }
}

TEST_F(HttpTest, ReadsASmallBodyThatIsRefusedAndGoesOn) {
  start();
  RawClient one = client();
  one.send(post("/locked", "some body"));
  EXPECT_THAT(one.answer(), StartsWith("HTTP/1.1 401 "));
  one.send(post("/echo", "x"));
  EXPECT_THAT(one.answer(), EndsWith("POST /echo? x"));
}

TEST_F(HttpTest, SendsALargeAnswerToASlowReader) {
  start();
  RawClient one = client();
  one.send(get("/big"));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_GT(one.answer().size(), size_t{4 << 20});
  ASSERT_TRUE(handler.wait_finished(1));
  EXPECT_EQ(handler.finished()[0].bytes, uint64_t{4 << 20});
}

TEST_F(HttpTest, KeepsAGoodRequestIdAndMakesOneElse) {
  start();
  EXPECT_THAT(ask(get("/echo", "X-Request-Id: abc-1\r\n")), HasSubstr("X-Request-Id: abc-1\r\n"));
  EXPECT_THAT(ask(get("/echo", "X-Request-Id: a\"b\r\n")), Not(HasSubstr("a\"b")));
  EXPECT_THAT(ask(get("/echo", "X-Request-Id: " + std::string(200, 'a') + "\r\n")),
              Not(HasSubstr("aaaa")));
  EXPECT_THAT(ask(get("/echo")), testing::ContainsRegex("X-Request-Id: [0-9a-f]{32}\r\n"));
}

TEST_F(HttpTest, LetsNoHeaderValueBeginAnotherLine) {
  start();
  EXPECT_THAT(ask(get("/evil")), HasSubstr("X-Model: a  Set-Cookie: b\r\n"));
}

TEST_F(HttpTest, LetsAnyOriginCall) {
  start();
  const std::string preflight =
      "OPTIONS /v1/embeddings HTTP/1.1\r\nHost: t\r\nOrigin: https://page\r\n"
      "Access-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: x-stainless-os\r\n\r\n";
  const std::string answer = ask(preflight);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(answer, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(answer, HasSubstr("Access-Control-Allow-Methods: GET, POST\r\n"));
  EXPECT_THAT(answer, HasSubstr("authorization, content-type, x-stainless-os\r\n"));
  EXPECT_THAT(ask(get("/echo", "Origin: https://page\r\n")),
              HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  EXPECT_THAT(ask(get("/echo")), Not(HasSubstr("Access-Control")));
}

TEST_F(HttpTest, LetsOnlyTheNamedOriginsCall) {
  options.allow_origins = {"https://mine"};
  start();
  const std::string mine = ask(get("/echo", "Origin: https://mine\r\n"));
  EXPECT_THAT(mine, HasSubstr("Access-Control-Allow-Origin: https://mine\r\n"));
  EXPECT_THAT(mine, HasSubstr("Vary: Origin\r\n"));
  EXPECT_THAT(ask(get("/echo", "Origin: https://other\r\n")), Not(HasSubstr("Access-Control")));
}

}  // namespace
}  // namespace embedforge::serve
