#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "embedforge/error.h"
#include "support/scripted_server.h"

namespace embedforge {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto kAnswer = &ScriptedServer::answer;

HttpClient quick(int retries = 3) {
  return HttpClient({.connect_seconds = 2,
                     .total_seconds = 2,
                     .idle_seconds = 2,
                     .retries = retries,
                     .first_wait = 0.01});
}

template <typename Call>
std::string failure(Call call, ErrorCode code = ErrorCode::kRemote) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(HttpClient, SendsMethodHeadersAndBody) {
  const ScriptedServer server({kAnswer("200 OK", "pong", "X-Thing: a b \r\n")});
  const HttpResponse response =
      quick().send({server.url("/p?q=1"), "POST", {{"Content-Type", "text/x"}}, "ping"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "pong");
  EXPECT_EQ(response.header("x-thing"), "a b");
  EXPECT_EQ(response.header("absent"), "");
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_THAT(server.requests()[0], testing::StartsWith("POST /p?q=1 HTTP/1.1\r\n"));
  EXPECT_THAT(server.requests()[0], HasSubstr("Content-Type: text/x\r\n"));
  EXPECT_THAT(server.requests()[0], testing::EndsWith("\r\n\r\nping"));
}

TEST(HttpClient, RetriesWhatPasses) {
  const ScriptedServer server({kAnswer("503 Service Unavailable", "", ""), "",
                               kAnswer("429 Too Many Requests", "", "Retry-After: 1\r\n"),
                               kAnswer("200 OK", "done", "")});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(quick().send({server.url(), "POST", {}, "again"}).body, "done");
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  EXPECT_GE(taken.count(), 0.99) << "Retry-After";
  ASSERT_EQ(server.requests().size(), 4U);
  for (const std::string& request : server.requests())
    EXPECT_THAT(request, testing::EndsWith("again"));
}

TEST(HttpClient, RetriesNothingElse) {
  for (const char* status : {"400 Bad", "401 No", "404 None", "422 What", "500 Broken"}) {
    const ScriptedServer server(
        {kAnswer(status, "{\"error\":\n \"because\"}", ""), kAnswer("200 OK", "", "")});
    const std::string message =
        failure([&] { quick().send_checked({server.url("/x?key=secret")}); });
    EXPECT_THAT(message, HasSubstr(std::string(status).substr(0, 3)));
    EXPECT_THAT(message, HasSubstr("because"));
    EXPECT_THAT(message, HasSubstr(server.url("/x")));
    EXPECT_THAT(message, Not(HasSubstr("secret")));
    EXPECT_EQ(server.requests().size(), 1U) << status;
  }
}

TEST(HttpClient, GivesUpOnALongWait) {
  const ScriptedServer server(
      {kAnswer("429 Too Many Requests", "", "Retry-After: 3600\r\n"), kAnswer("200 OK", "", "")});
  EXPECT_THAT(failure([&] { quick().send_checked({server.url()}); }), HasSubstr("3600 s"));
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(HttpClient, DeadHostsAndWrongUrls) {
  int port = 0;
  {
    const ScriptedServer gone({});
    port = gone.port();
  }
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/v1";
  const std::string message = failure([&] { quick(2).send({url}); });
  EXPECT_THAT(message, HasSubstr(url));
  EXPECT_THAT(message, HasSubstr("tried 3 times"));
  failure([] { quick().send({"file:///etc/passwd"}); }, ErrorCode::kUsage);
  failure([] { quick().send({"no url"}); }, ErrorCode::kUsage);
  failure([&] { quick().send({url, "GET", {{"X", "a\r\nY: b"}}}); }, ErrorCode::kUsage);
}

TEST(HttpClient, BoundsWhatItKeeps) {
  const ScriptedServer server({kAnswer("200 OK", std::string(5000, 'x'), "")});
  HttpOptions options;
  options.largest_answer = 4000;
  EXPECT_THAT(failure([&] { HttpClient(options).send({server.url()}); }), HasSubstr("4000 bytes"));
}

TEST(HttpClient, RedirectsWithoutCredentialsToOtherHosts) {
  const ScriptedServer other({kAnswer("200 OK", "there", "")});
  const ScriptedServer server({kAnswer("302 Found", "", "Location: /same\r\n"),
                               kAnswer("307 Temporary Redirect", "",
                                       "Location: " + other.url("/o", "localhost") + "\r\n")});
  const HttpResponse response =
      quick().send({server.url(), "POST", {{"Authorization", "Bearer secret"}}, "body"});
  EXPECT_EQ(response.body, "there");
  EXPECT_EQ(response.url, other.url("/o", "localhost"));
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_THAT(server.requests()[1], HasSubstr("Bearer secret"));
  ASSERT_EQ(other.requests().size(), 1U);
  EXPECT_THAT(other.requests()[0], testing::StartsWith("POST /o"));
  EXPECT_THAT(other.requests()[0], testing::EndsWith("body"));
  EXPECT_THAT(other.requests()[0], Not(HasSubstr("secret")));
}

struct Received {
  std::string bytes;
  std::vector<uint64_t> offsets;
  uint64_t size = 0;
  HttpSink sink() {
    return {[this](const HttpResponse&, uint64_t offset, std::optional<uint64_t> whole) {
              offsets.push_back(offset);
              bytes.resize(offset);
              size = whole.value_or(0);
            },
            [this](std::string_view more) { bytes += more; }};
  }
};

TEST(HttpClient, TakesUpABrokenDownload) {
  const ScriptedServer server(
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"v1\"\r\n\r\n01234",
       kAnswer("206 Partial Content", "56789", "ETag: \"v1\"\r\nContent-Range: bytes 5-9/10\r\n")});
  Received received;
  quick().download({server.url()}, received.sink());
  EXPECT_EQ(received.bytes, "0123456789");
  EXPECT_EQ(received.size, 10U);
  EXPECT_THAT(received.offsets, testing::ElementsAre(0, 5));
  EXPECT_THAT(server.requests()[1], HasSubstr("Range: bytes=5-\r\n"));
  EXPECT_THAT(server.requests()[1], HasSubstr("If-Range: \"v1\"\r\n"));
}

TEST(HttpClient, StartsAnewWhenTheFileChangedOrHasNoMark) {
  const ScriptedServer server(
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", kAnswer("200 OK", "abcdefghij", "")});
  Received received;
  quick().download({server.url()}, received.sink());
  EXPECT_EQ(received.bytes, "abcdefghij");
  EXPECT_THAT(received.offsets, testing::ElementsAre(0, 0));
  EXPECT_THAT(server.requests()[1], Not(HasSubstr("Range:")));
}

TEST(HttpClient, DownloadsFromAnOffset) {
  const ScriptedServer server(
      {kAnswer("206 Partial Content", "89", "Content-Range: bytes 8-9/10\r\n"),
       kAnswer("206 Partial Content", "89", "Content-Range: bytes 7-8/10\r\n"),
       kAnswer("404 Not Found", "nothing here", "")});
  Received received;
  quick().download({server.url()}, received.sink(), 8);
  EXPECT_THAT(received.offsets, testing::ElementsAre(8));
  EXPECT_EQ(received.bytes.substr(8), "89");
  EXPECT_THAT(failure([&] { quick().download({server.url()}, received.sink(), 8); }),
              HasSubstr("another part"));
  received.bytes.clear();
  EXPECT_THAT(failure([&] { quick().download({server.url()}, received.sink()); }),
              HasSubstr("404 Not Found: nothing here"));
  EXPECT_EQ(received.bytes, "") << "an error's body is no file";
}

TEST(HttpClient, WhatTheSinkThrowsComesThrough) {
  const ScriptedServer server({kAnswer("200 OK", "x", "")});
  const HttpSink sink{{}, [](std::string_view) { throw_bad_input("disk full"); }};
  EXPECT_THAT(failure([&] { quick().download({server.url()}, sink); }, ErrorCode::kBadInput),
              HasSubstr("disk full"));
}

TEST(HttpClient, ProxyFromTheEnvironment) {
  const ScriptedServer proxy({kAnswer("200 OK", "by proxy", "")});
  setenv("http_proxy", proxy.url("").c_str(), 1);
  const std::string body = quick().send({"http://example.invalid/x"}).body;
  unsetenv("http_proxy");
  EXPECT_EQ(body, "by proxy");
  EXPECT_THAT(proxy.requests()[0], testing::StartsWith("GET http://example.invalid/x "));
}

TEST(ShownUrl, HasNoSecrets) {
  EXPECT_EQ(shown_url("https://user:pass@host/a@b?token=1#x"), "https://host/a@b");
  EXPECT_EQ(shown_url("http://host"), "http://host");
}

}  // namespace
}  // namespace embedforge
