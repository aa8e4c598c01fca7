// A quarter of a megabyte of whatever makes a naive tokenizer quadratic. The bound is loose:
// quadratic time would take minutes.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

using nlohmann::json;

Tokenizer golden_tokenizer(const std::string& name) {
  std::ifstream file(std::filesystem::path(EMBEDFORGE_TEST_DATA) / ("tokenizer_" + name + ".json"));
  return Tokenizer::parse(json::parse(file)["tokenizer"].dump(), name);
}

std::string repeated(const std::string& unit) {
  std::string text;
  while (text.size() < (size_t{1} << 18)) text += unit;
  return text;
}

class LinearTime : public testing::TestWithParam<std::string> {};

TEST_P(LinearTime, OnLongRuns) {
  const Tokenizer tokenizer = golden_tokenizer(GetParam());
  for (const std::string unit : {"a", "e\xCC\x81", "\xCC\x81", "\xE4\xBD\xA0", " ", "'", "\n", "=",
                                 "[CLS]", "<mask> ", "\xF0\x9F\x91\x8D\xE2\x80\x8D", "xyz "}) {
    SCOPED_TRACE(unit);
    const std::string text = repeated(unit);
    const auto start = std::chrono::steady_clock::now();
    std::vector<int32_t> ids;
    tokenizer.append_ids(text, {}, ids);
    EXPECT_EQ(ids, tokenizer.encode(text).ids);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  }
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, LinearTime,
                         testing::Values("bert", "qwen", "roberta", "xlmr", "llama"),
                         [](const auto& one) { return one.param; });

TEST(Threads, ShareATokenizer) {
  const Tokenizer tokenizer = golden_tokenizer("bert");
  const std::string text = "The quick brown fox \xE4\xBD\xA0 caf\xC3\xA9 jumps";
  const std::vector<int32_t> expected = tokenizer.encode(text).ids;
  std::vector<std::thread> threads;
  std::vector<int> wrong(8, 0);
  for (int& count : wrong) {
    threads.emplace_back([&tokenizer, &text, &expected, &count] {
      for (int i = 0; i < 2000; ++i) {
        std::vector<int32_t> ids;
        tokenizer.append_ids(text, {}, ids);
        if (ids != expected) ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(8, 0));
}

TEST(CountTokens, CountsWhatAppendIdsGives) {
  const Tokenizer tokenizer = golden_tokenizer("bert");
  EXPECT_EQ(tokenizer.count_tokens("the quick fox"), tokenizer.encode("the quick fox").ids.size());
  EXPECT_EQ(tokenizer.count_tokens("the quick fox", {.max_length = 4}), 4U);
}

}  // namespace
}  // namespace embedforge
