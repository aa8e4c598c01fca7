// What a damaged tokenizer.json or text gives: one line that names the file and the field.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "embedforge/error.h"
#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string wordpiece(const std::string& vocab, const std::string& more = "") {
  return R"({"version":"1.0","model":{"type":"WordPiece","unk_token":"[UNK]",)"
         R"("continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":)" +
         vocab + "}" + more + "}";
}

void expect_error(const std::string& text, ErrorCode code, const std::string& part) {
  SCOPED_TRACE(text.substr(0, 200));
  try {
    (void)Tokenizer::parse(text, "dir/tokenizer.json");
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("dir/tokenizer.json"), HasSubstr(part), Not(HasSubstr("\n"))));
  }
}

TEST(TokenizerBadInput, MalformedJson) {
  expect_error("", ErrorCode::kBadInput, "not valid JSON");
  expect_error("{\"model\":", ErrorCode::kBadInput, "not valid JSON at byte 10");
  expect_error("[1]", ErrorCode::kBadInput, "must be an object");
  expect_error("{}", ErrorCode::kBadInput, "lacks the field 'model'");
}

TEST(TokenizerBadInput, DeepNesting) {
  expect_error(std::string(1000000, '['), ErrorCode::kBadInput, "nested deeper than");
  std::string nested = R"({"type":"Sequence","normalizers":[)";
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += nested;
  expect_error(wordpiece(R"({"a":0})", ",\"normalizer\":" + deep), ErrorCode::kBadInput, "deeper");
}

TEST(TokenizerBadInput, ManyComponents) {
  std::string many = R"({"type":"Lowercase"})";
  for (int i = 0; i < 1000; ++i) many += R"(,{"type":"Lowercase"})";
  const std::string sequence = R"(,"normalizer":{"type":"Sequence","normalizers":[)" + many + "]}";
  expect_error(wordpiece(R"({"a":0})", sequence), ErrorCode::kBadInput,
               "normalizer.normalizers has more than 1000 elements");
}

TEST(TokenizerBadInput, UnknownComponentsAreNamed) {
  for (const std::string part : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    expect_error(wordpiece(R"({"a":0})", ",\"" + part + R"(":{"type":"Wibble"})"),
                 ErrorCode::kNotSupported, part + ".type 'Wibble'");
  }
  expect_error(R"({"model":{"type":"Wibble"}})", ErrorCode::kNotSupported, "model.type 'Wibble'");
}

TEST(TokenizerBadInput, Vocabulary) {
  expect_error(wordpiece("{}"), ErrorCode::kBadInput, "model.vocab is empty");
  expect_error(wordpiece("[]"), ErrorCode::kBadInput, "model.vocab must be an object");
  for (const std::string id :
       {"-1", "1.5", "\"x\"", "99999999999999999999", "4294967296", "null"}) {
    expect_error(wordpiece("{\"a\":" + id + "}"), ErrorCode::kBadInput, "model.vocab.a");
  }
}

TEST(TokenizerBadInput, PostProcessorIdsOutOfRange) {
  expect_error(wordpiece(R"({"a":0})", R"(,"post_processor":{"type":"BertProcessing",)"
                                       R"("sep":["[SEP]",7],"cls":["[CLS]",0]})"),
               ErrorCode::kBadInput, "'[SEP]' the id 7");
  expect_error(wordpiece(R"({"a":0})",
                         R"(,"post_processor":{"type":"TemplateProcessing","special_tokens":{},)"
                         R"("single":[{"SpecialToken":{"id":"X","type_id":0}}],"pair":[]})"),
               ErrorCode::kBadInput, "lacks the field 'X'");
}

TEST(TokenizerBadInput, TextThatIsNotUtf8) {
  const Tokenizer tokenizer = Tokenizer::parse(wordpiece(R"({"[UNK]":0,"a":1})"), "t");
  for (const std::string bad :
       {"ab\xff", "ab\xc0\x80", "ab\xed\xa0\x80", "ab\xe4\xb8", "ab\x80", "ab\xf4\x90\x80\x80",
        "ab\xe4"
        "a",
        "ab\xf0\x80\x80\x80"}) {
    std::vector<int32_t> ids{3};
    try {
      tokenizer.append_ids(bad, {}, ids);
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kBadInput);
      EXPECT_STREQ(e.what(), "text is not valid UTF-8 at byte 2");
    }
    EXPECT_EQ(ids, std::vector<int32_t>{3});
    EXPECT_THROW((void)tokenizer.encode(bad), Error);
    EXPECT_THROW((void)tokenizer.encode_pair("a", bad), Error);
  }
}

TEST(TokenizerBadInput, MissingUnknownTokenMattersOnlyWhenNeeded) {
  const Tokenizer tokenizer = Tokenizer::parse(wordpiece(R"({"a":0,"##b":1})"), "t");
  EXPECT_EQ(tokenizer.encode("ab").ids, (std::vector<int32_t>{0, 1}));
  EXPECT_THROW((void)tokenizer.encode("x"), Error);
}

TEST(TokenizerBadInput, MissingFile) {
  EXPECT_THROW((void)Tokenizer::load("/nonexistent/tokenizer.json"), Error);
}

}  // namespace
}  // namespace embedforge
