#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "serve/access_log.h"

namespace embedforge::serve {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest() {
    EXPECT_EQ(pipe(ends_), 0);
    options.descriptor = ends_[1];
    options.requests = true;
  }
  ~AccessLogTest() override {
    for (const int end : ends_) close(end);
  }
  void start() { log = std::make_unique<AccessLog>(options); }
  /// Everything that was logged.
  std::string text() {
    log.reset();
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    std::string text;
    char bytes[4096];
    for (ssize_t count; (count = read(ends_[0], bytes, sizeof(bytes))) > 0;)
      text.append(bytes, static_cast<size_t>(count));
    return text;
  }

  LogOptions options;
  std::unique_ptr<AccessLog> log;

 private:
  int ends_[2] = {-1, -1};
};

Request example_request() {
  return {.method = "POST",
          .path = "/em\"bed\n\xff",
          .query = "key=secret",
          .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                      {"authorization", "Bearer secret"}},
          .body = "a private text",
          .id = "id-1",
          .key = "team"};
}

Response example_response() {
  return {.headers = {{"x-compute-tokens", "12"}, {"X-Embedforge-Model", "minilm"}}};
}

TEST_F(AccessLogTest, WritesARequestAsJson) {
  options.format = LogFormat::kJson;
  start();
  log->request(example_request(), example_response(), 42, 0.25);
  const std::string line = text();
  EXPECT_THAT(line, Not(HasSubstr("secret")));
  EXPECT_THAT(line, Not(HasSubstr("private")));
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "info");
  EXPECT_EQ(json["method"], "POST");
  EXPECT_EQ(json["path"], "/em\"bed\n\xEF\xBF\xBD");
  EXPECT_EQ(json["status"], 200);
  EXPECT_EQ(json["bytes"], 42);
  EXPECT_EQ(json["request_id"], "id-1");
  EXPECT_EQ(json["key"], "team");
  EXPECT_EQ(json["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(json["model"], "minilm");
  EXPECT_EQ(json["tokens"], 12);
  EXPECT_EQ(json["seconds"], 0.25);
}

TEST_F(AccessLogTest, WritesForPeopleOnOneLine) {
  start();
  log->request(example_request(), example_response(), 42, 0.25);
  log->say(LogLevel::kWarn, "two\nlines");
  const std::string lines = text();
  EXPECT_THAT(lines, HasSubstr("method=POST path=/em\"bed?"));
  EXPECT_THAT(lines, HasSubstr(" status=200 bytes=42 seconds=0.250000 request_id=id-1"));
  EXPECT_THAT(lines, EndsWith("warn  two?lines\n"));
}

TEST_F(AccessLogTest, KeepsToItsLevel) {
  options.requests = false;
  start();
  log->request(example_request(), example_response(), 0, 0);
  log->say(LogLevel::kDebug, "not this");
  log->request(example_request(), {.status = 429}, 0, 0);
  log->request(example_request(), {.status = 0}, 0, 0);
  log->request(example_request(), {.status = 500}, 0, 0);
  const std::string lines = text();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 3);
  EXPECT_THAT(lines, HasSubstr("the client was gone"));
  EXPECT_THAT(lines, HasSubstr("error request"));
}

TEST_F(AccessLogTest, NeverWaitsForWhoDoesNotRead) {
  options.capacity = 100;
  start();
  const auto begin = std::chrono::steady_clock::now();
  const std::string line(1000, 'x');
  for (int i = 0; i < 2000; ++i) log->say(LogLevel::kInfo, line);
  EXPECT_GT(log->dropped(), 0U);
  log.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

}  // namespace
}  // namespace embedforge::serve
