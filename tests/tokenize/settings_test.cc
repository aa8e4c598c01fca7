#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "embedforge/error.h"
#include "temporary_folder.h"
#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

using nlohmann::json;
using Ids = std::vector<int32_t>;

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    document_ = json::parse(R"({
      "version": "1.0", "truncation": null, "padding": null,
      "added_tokens": [], "normalizer": null,
      "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": null,
      "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4,
                  "red": 5, "Red": 6, "é": 7, "e": 8, "<": 9, "x": 10, ">": 11}}})");
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
  }
  Tokenizer load(bool lower_case = false) const {
    write("tokenizer.json", document_.dump());
    return Tokenizer::load(folder_.path(), lower_case);
  }
  Ids ids(const std::string& text, size_t limit = 0) const {
    Ids out;
    load().append_ids(text, {.max_length = limit}, out);
    EXPECT_EQ(load().encode(text, {.max_length = limit}).ids, out);
    return out;
  }
  std::string refusal(ErrorCode code) const {
    try {
      (void)load();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  json document_;
};

TEST_F(SettingsTest, TheFileCountsAsItIsWithoutAClass) {
  EXPECT_EQ(ids("Red é"), (Ids{6, 7}));
  write("tokenizer_config.json",
        R"({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": true})");
  EXPECT_EQ(ids("Red é"), (Ids{6, 7}));
}

TEST_F(SettingsTest, BertIsBuiltAnew) {
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  EXPECT_EQ(ids("Red é"), (Ids{2, 5, 8, 3}));
  write("tokenizer_config.json",
        R"({"tokenizer_class": "BertTokenizerFast", "do_lower_case": false})");
  EXPECT_EQ(ids("Red é"), (Ids{2, 6, 7, 3}));
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "strip_accents": false})");
  EXPECT_EQ(ids("Red é"), (Ids{2, 5, 7, 3}));
  write("tokenizer_config.json", "{}");
  write("config.json", R"({"model_type": "bert"})");
  EXPECT_EQ(ids("Red é"), (Ids{2, 5, 8, 3}));
}

TEST_F(SettingsTest, TheSideThatIsCut) {
  document_["truncation"] = {
      {"direction", "Left"}, {"max_length", 2}, {"strategy", "LongestFirst"}, {"stride", 0}};
  EXPECT_EQ(ids("red Red é", 2), (Ids{6, 7}));
  EXPECT_EQ(ids("red Red é"), (Ids{5, 6, 7}));
  write("tokenizer_config.json", R"({"truncation_side": "right"})");
  EXPECT_EQ(ids("red Red é", 2), (Ids{5, 6}));
  document_["truncation"] = nullptr;
  write("tokenizer_config.json", R"({"truncation_side": "left"})");
  EXPECT_EQ(ids("red Red é", 2), (Ids{6, 7}));
  write("tokenizer_config.json", R"({"truncation_side": "middle"})");
  EXPECT_THAT(refusal(ErrorCode::kBadInput), testing::HasSubstr("truncation_side"));
}

TEST_F(SettingsTest, TokensThatOnlyOtherFilesName) {
  EXPECT_EQ(ids("red<x>"), (Ids{5, 9, 10, 11}));
  write("added_tokens.json", R"({"<x>": 900})");
  EXPECT_EQ(ids("red<x>"), (Ids{5, 12}));  // the next free id, as in the reference
  write("added_tokens.json", "{}");
  write("special_tokens_map.json", R"({"mask_token": {"content": "<x>", "lstrip": true}})");
  EXPECT_EQ(ids("red  <x>"), (Ids{5, 12}));
  write("tokenizer_config.json", R"({"added_tokens_decoder": {}})");  // the map isn't read then
  EXPECT_EQ(ids("red<x>"), (Ids{5, 9, 10, 11}));
  write("tokenizer_config.json", R"({"added_tokens_decoder": {"12": {"content": "d<x"}}})");
  EXPECT_EQ(ids("x d<x>"), (Ids{10, 12, 11}));
  write("tokenizer_config.json", R"({"image_token": "<x>", "extra_special_tokens": ["red"]})");
  EXPECT_EQ(ids("x<x>"), (Ids{10, 12}));
}

TEST_F(SettingsTest, LowerCaseLeavesSpecialTokens) {
  document_["added_tokens"] =
      json::parse(R"([{"id": 4, "content": "[MASK]", "special": true, "single_word": false,
      "lstrip": false, "rstrip": false, "normalized": false}])");
  document_["normalizer"] = nullptr;
  EXPECT_EQ(load(true).encode("RED [MASK]").ids, (Ids{5, 4}));
}

TEST_F(SettingsTest, OtherProgramsAreRefused) {
  write("tokenizer_config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  EXPECT_THAT(refusal(ErrorCode::kNotSupported), testing::HasSubstr("BertJapaneseTokenizer"));
  write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})");
  EXPECT_THAT(refusal(ErrorCode::kNotSupported), testing::HasSubstr("WordPiece"));
  write("tokenizer_config.json",
        R"({"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["a.B", null]}})");
  EXPECT_THAT(refusal(ErrorCode::kNotSupported), testing::HasSubstr("auto_map"));
}

TEST_F(SettingsTest, AByteOrderMarkIsNoPartOfAFile) {
  write("tokenizer_config.json", "\xEF\xBB\xBF{\"truncation_side\": \"left\"}");
  write("tokenizer.json", "\xEF\xBB\xBF" + document_.dump());
  EXPECT_EQ(Tokenizer::load(folder_.path()).encode("red Red", {.max_length = 1}).ids, (Ids{6}));
}

}  // namespace
}  // namespace embedforge
