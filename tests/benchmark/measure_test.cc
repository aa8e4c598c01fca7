#include "benchmark/measure.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace embedforge::benchmarking {
namespace {

/// Speaks the protocol; a call takes 1 ms, or what `seconds` says of the turn's number n.
constexpr const char* kWorker = R"(
import json, struct, sys
start = json.loads(sys.stdin.readline())
def say(answer, data=b""):
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + data)
    sys.stdout.flush()
say({"version": "fake 1", "bytes": 1})
texts_of, n = {}, 0
for line in sys.stdin:
    ask = json.loads(line)
    if "add" in ask:
        texts_of[ask["add"]] = ask["texts"]
        say({})
    elif "choose" in ask:
        say({"chosen": {}})
    else:
        texts = texts_of[ask["run"]]
        n += ask["warm"] > 0
        seconds = eval(start["seconds"]) if ask["run"] == "noisy" else 0.001
        rows = [[len(t), 1.0] for t in texts]
        shape = {"rows": len(rows), "columns": 2} if ask["vectors"] else {}
        data = b"".join(struct.pack("<2f", *row) for row in rows) if ask["vectors"] else b""
        say({"seconds": [seconds]} | shape, data)
)";

Engine engine(const std::string& name, const std::string& seconds) {
  return {.name = name,
          .process = {{"/usr/bin/python3", "-c", kWorker}, {}, "/dev/null"},
          .start = {{"seconds", seconds}}};
}

std::vector<Measured> measured(const Rounds& rounds) {
  return measure({engine("first", "0.001"), engine("steady", "0.001"),
                  engine("moving", "0.001 * (1 + n % 2)")},
                 {{.name = "quiet", .texts = {"a", "bb", "ccc"}, .turns = 2},
                  {.name = "noisy", .texts = {"a"}, .turns = 1, .latency = true}},
                 rounds, [](const std::string&) {});
}

TEST(Measure, GoesOnWithTheEnginesWhoseRatiosAreNotKnown) {
  const std::vector<Measured> found = measured({.least = 2, .seconds = 1, .precision = 0.05});
  for (const Measured& engine : found) {
    ASSERT_EQ(engine.missing, "") << engine.name;
    EXPECT_EQ(engine.series[0].seconds.size(), 4) << "two rounds of two turns";
  }
  EXPECT_EQ(found[1].series[1].seconds.size(), 2) << "as fast as the first in every turn";
  EXPECT_GT(found[2].series[1].seconds.size(), 4) << "turns that take once or twice as long";
  EXPECT_EQ(found[0].series[1].seconds.size(), found[2].series[1].seconds.size());
}

TEST(Measure, GivesUpOnARatioThatTakesTooLong) {
  for (const Measured& engine : measured({.least = 2, .seconds = 0.001, .precision = 0.05}))
    EXPECT_EQ(engine.series[1].seconds.size(), 2);
}

TEST(Measure, TakesAsManyRoundsAsAreAskedFor) {
  for (const Measured& engine : measured({.least = 1, .seconds = 0})) {
    EXPECT_EQ(engine.series[0].seconds, (std::vector<std::vector<double>>{{0.001}, {0.001}}));
    EXPECT_EQ(engine.series[1].seconds.size(), 1);
  }
}

TEST(Measure, ComparesEveryText) {
  for (const Measured& engine : measured({.least = 2, .seconds = 0})) {
    EXPECT_EQ(engine.series[0].cosines.size(), 3);
    for (const double cosine : engine.series[0].cosines) EXPECT_NEAR(cosine, 1, 1e-6);
  }
}

TEST(Measure, AnEngineThatStopsIsLeftOut) {
  Engine broken = engine("broken", "1 / 0");
  const std::vector<Measured> found =
      measure({broken, engine("steady", "0.001")},
              {{.name = "noisy", .texts = {"a"}, .turns = 1, .latency = true}},
              {.least = 1, .seconds = 0}, [](const std::string&) {});
  EXPECT_EQ(found[0].missing, "its process stopped");
  EXPECT_EQ(found[1].missing, "");
  EXPECT_EQ(found[1].series[0].seconds.size(), 1);
}

}  // namespace
}  // namespace embedforge::benchmarking
