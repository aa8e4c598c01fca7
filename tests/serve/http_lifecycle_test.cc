#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>

#include "embedforge/error.h"
#include "serve/http_fixture.h"
#include "support/expect_error.h"
#include "temporary_folder.h"

namespace embedforge::serve {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(HttpTest, TellsTheHandlerThatTheClientIsGone) {
  start();
  for (const bool reset : {false, true}) {
    RawClient one = client();
    one.send(get("/hold"));
    ASSERT_TRUE(handler.wait_held(1));
    reset ? one.reset() : one.close();
    EXPECT_TRUE(handler.wait_cancelled());
    handler.release();
  }
  ASSERT_TRUE(handler.wait_finished(2));
  for (const auto& finished : handler.finished()) EXPECT_EQ(finished.status, 0);
}

TEST_F(HttpTest, NoticesThatAClientIsGoneWhoseRequestsItDoesNotReadAnyMore) {
  options.max_pipelined = 1;
  options.idle_timeout = 0.2;  // so that it looks often
  start();
  RawClient one = client();
  one.send(get("/hold/1") + get("/hold/2"));
  ASSERT_TRUE(handler.wait_held(1));
  one.close();
  EXPECT_TRUE(handler.wait_cancelled());
}

TEST_F(HttpTest, TellsOfARequestWhoseBodyNeverCame) {
  start();
  RawClient one = client();
  one.send("POST /half HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc");
  std::this_thread::sleep_for(milliseconds(50));
  one.close();
  ASSERT_TRUE(handler.wait_finished(1));
  EXPECT_EQ(handler.finished()[0].status, 0);
  EXPECT_THAT(handler.handled(), testing::ElementsAre());
}

TEST_F(HttpTest, SurvivesClientsThatLeaveAtAnyMoment) {
  start();
  const std::string request = post("/later", std::string(100, 'x')) + get("/big") + get("/later");
  for (size_t i = 0; i < request.size(); ++i) {
    RawClient one = client();
    one.send(request.substr(0, i));
    i % 2 == 0 ? one.close() : one.reset();
  }
  EXPECT_THAT(ask(get("/echo")), StartsWith("HTTP/1.1 200 "));
  for (int i = 0; i < 500 && server->connections() > 0; ++i)
    std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(HttpTest, DrainAnswersWhatWasAcceptedAndReturns) {
  start();
  RawClient idle = client(), busy = client(), half = client();
  busy.send(get("/hold"));
  half.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\nabc");
  ASSERT_TRUE(handler.wait_held(1));
  std::this_thread::sleep_for(milliseconds(50));
  server->drain(20);
  EXPECT_TRUE(idle.ends());
  EXPECT_ANY_THROW(client());
  half.send("def");
  const std::string answer = half.answer();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("abcdef"));
  handler.release();
  EXPECT_THAT(busy.answer(), HasSubstr("Connection: close\r\n"));
  join();
  EXPECT_EQ(server->connections(), 0U);
}

/// Asks until it is told to go. False: a request wasn't answered.
bool ask_until_told_to_go(RawClient one, const std::string& request, std::atomic<int>& answered) {
  for (;;) {
    one.send(request);
    const std::string answer = one.answer();
    if (answer.empty()) return false;
    ++answered;
    if (answer.find("Connection: close") != std::string::npos) return true;
  }
}

TEST_F(HttpTest, DrainLosesNoRequestOfClientsInFullFlight) {
  for (const int threads : {1, 2}) {
    options.threads = threads;
    start();
    std::atomic<int> answered = 0, lost = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 16; ++i) {
      clients.emplace_back([&, one = client()]() mutable {
        if (!ask_until_told_to_go(std::move(one), post("/later", "x"), answered)) ++lost;
      });
    }
    while (answered < 200) std::this_thread::sleep_for(milliseconds(1));
    server->drain(20);
    for (std::thread& one : clients) one.join();
    join();
    EXPECT_EQ(lost, 0) << threads;
  }
}

TEST_F(HttpTest, DrainEndsWithItsTime) {
  start();
  RawClient one = client();
  one.send(get("/hold"));
  ASSERT_TRUE(handler.wait_held(1));
  server->drain(0.05);
  join();
  ASSERT_TRUE(handler.wait_finished(1));
  EXPECT_EQ(handler.finished()[0].status, 0);
  handler.release();  // too late, and harmless
}

TEST_F(HttpTest, ASecondDrainEndsAtOnce) {
  start();
  RawClient one = client();
  one.send(get("/hold"));
  ASSERT_TRUE(handler.wait_held(1));
  server->drain(1000);
  server->drain(1000);
  join();
}

TEST_F(HttpTest, AnAnswerMayComeAfterTheServerIsGone) {
  start();
  RawClient one = client();
  one.send(get("/hold"));
  ASSERT_TRUE(handler.wait_held(1));
  server->drain(0);
  join();
  server.reset();
  handler.release();
}

TEST_F(HttpTest, HoldsThousandsOfIdleConnections) {
  start();
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const size_t count = std::min<size_t>(2000, (limit.rlim_cur - 100) / 2);
  std::vector<RawClient> idle;
  for (size_t i = 0; i < count; ++i) idle.push_back(client());
  EXPECT_THAT(ask(get("/echo")), StartsWith("HTTP/1.1 200 "));
  for (size_t i = 0; i < count; i += 97) {
    idle[i].send(get("/echo"));
    EXPECT_THAT(idle[i].answer(), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_GE(server->connections(), count);
}

TEST_F(HttpTest, MakesRoomAmongTheIdleWhenItIsFull) {
  options.max_connections = 10;
  start();
  std::vector<RawClient> many;
  for (int i = 0; i < 30; ++i) many.push_back(client());
  many.back().send(get("/echo"));
  EXPECT_THAT(many.back().answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_LE(server->connections(), 10U);
}

TEST_F(HttpTest, GoesOnWhenNoDescriptorIsFree) {
  start();
  RawClient before = client();
  before.send(get("/echo"));
  EXPECT_THAT(before.answer(), StartsWith("HTTP/1.1 200 "));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  std::vector<RawClient> waiting;
  waiting.push_back(client());
  waiting.back().send(get("/echo"));  // its answer says that the server has taken its descriptor
  EXPECT_THAT(waiting.back().answer(), StartsWith("HTTP/1.1 200 "));
  const int next = dup(0);
  close(next);
  const rlimit tight = {static_cast<rlim_t>(next) + 1, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  // The client's own socket takes the last descriptor: accept() fails until something is closed.
  waiting.push_back(client());
  waiting.back().send(get("/echo"));
  std::this_thread::sleep_for(milliseconds(100));
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_THAT(waiting.back().answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTest, ServesAUnixSocketAndReplacesAStaleOne) {
  const TemporaryFolder folder;
  options.uds = folder.path() / "socket";
  options.host = "";
  start();
  RawClient one(options.uds.string());
  one.send(get("/echo"));
  EXPECT_THAT(one.answer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(error_of(ErrorCode::kBadInput, [&] { HttpServer again(options, handler); }),
              HasSubstr("another server listens there"));
  stop();
  EXPECT_FALSE(exists(options.uds));

  const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options.uds.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(stale);
  ASSERT_TRUE(exists(options.uds));
  start();
  RawClient two(options.uds.string());
  two.send(get("/echo"));
  EXPECT_THAT(two.answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpTest, SaysWhyItCannotListen) {
  start();
  const auto refused = [&](const HttpOptions& wrong, const std::string& why) {
    EXPECT_THAT(error_of(ErrorCode::kBadInput, [&] { HttpServer never(wrong, handler); }),
                HasSubstr(why));
  };
  HttpOptions wrong = options;
  wrong.port = server->port();
  refused(wrong, "choose another port");
  wrong = options;
  wrong.host = "no.such.host.invalid";
  refused(wrong, "--host no.such.host.invalid");
  const TemporaryFolder folder;
  wrong = options;
  wrong.uds = folder.path() / "file";
  std::ofstream(wrong.uds) << "text";
  refused(wrong, "no socket");
  wrong.uds = folder.path() / std::string(200, 'x');
  refused(wrong, "at most 107 bytes");
  wrong.uds = folder.path() / "missing" / "socket";
  refused(wrong, "--uds");
}

}  // namespace
}  // namespace embedforge::serve
