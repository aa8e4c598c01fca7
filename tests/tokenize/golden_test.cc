// Equality with the `tokenizers` package on the small tokenizers of tests/golden (made by
// make_tokenizer_golden.py).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// EMBEDFORGE_GOLDEN names another folder: python/tests/test_tokenizer_parity.py fills one.
fs::path golden_folder() {
  const char* other = std::getenv("EMBEDFORGE_GOLDEN");
  return other != nullptr ? other : EMBEDFORGE_TEST_DATA;
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(golden_folder())) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with("tokenizer_") && entry.path().extension() == ".json") {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class TokenizerGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::ifstream file(golden_folder() / (GetParam() + ".json"));
    golden_ = json::parse(file);
    ASSERT_GT(golden_["cases"].size(), 20U);
  }
  Tokenizer tokenizer() const { return Tokenizer::parse(golden_["tokenizer"].dump(), GetParam()); }

  static TokenizeOptions options(const json& one) {
    TokenizeOptions options;
    options.add_special_tokens = one.value("special", true);
    options.max_length = one.value("length", size_t{0});
    if (one.value("side", "right") == "left") options.side = TruncationSide::kLeft;
    return options;
  }

  json golden_;
};

TEST_P(TokenizerGolden, EncodesAsThePackage) {
  const Tokenizer tokenizer = this->tokenizer();
  for (const json& one : golden_["cases"]) {
    const auto text = one["text"].get<std::string>();
    SCOPED_TRACE(text);
    const Encoding got =
        one.contains("pair")
            ? tokenizer.encode_pair(text, one["pair"].get<std::string>(), options(one))
            : tokenizer.encode(text, options(one));
    EXPECT_EQ(json(got.ids), one["ids"]);
    EXPECT_EQ(json(got.type_ids), one["types"]);
    EXPECT_EQ(json(got.tokens), one["tokens"]);
    EXPECT_EQ(json(got.offsets), one["offsets"]);
    EXPECT_EQ(json(got.special), one["mask"]);
    EXPECT_EQ(tokenizer.decode(got.ids), one["decoded"].get<std::string>());
  }
}

TEST_P(TokenizerGolden, AppendsTheSameIds) {
  const Tokenizer tokenizer = this->tokenizer();
  for (int round = 0; round < 2; ++round) {  // the second one meets a warm cache
    for (const json& one : golden_["cases"]) {
      if (one.contains("pair")) continue;
      SCOPED_TRACE(one["text"].get<std::string>());
      std::vector<int32_t> ids{-5};
      tokenizer.append_ids(one["text"].get<std::string>(), options(one), ids);
      ASSERT_EQ(ids[0], -5);
      ids.erase(ids.begin());
      EXPECT_EQ(json(ids), one["ids"]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, TokenizerGolden, testing::ValuesIn(golden_names()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace embedforge
