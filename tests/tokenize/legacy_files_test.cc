// Tokenizers without a tokenizer.json give the same as the tokenizer.json that says the same.
#include "tokenize/files/legacy_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "embedforge/error.h"
#include "temporary_folder.h"
#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json golden(const std::string& name) {
  std::ifstream file(fs::path(EMBEDFORGE_TEST_DATA) / ("tokenizer_" + name + ".json"));
  return json::parse(file);
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void expect_same(const Tokenizer& got, const json& golden) {
  for (const json& one : golden["cases"]) {
    if (one.contains("length") || one.contains("special")) continue;
    const auto text = one["text"].get<std::string>();
    SCOPED_TRACE(text);
    const Encoding encoding = one.contains("pair")
                                  ? got.encode_pair(text, one["pair"].get<std::string>())
                                  : got.encode(text);
    EXPECT_EQ(json(encoding.ids), one["ids"]);
    EXPECT_EQ(json(encoding.type_ids), one["types"]);
    EXPECT_EQ(json(encoding.offsets), one["offsets"]);
  }
}

std::vector<std::string> by_id(const json& vocab) {
  std::vector<std::string> tokens(vocab.size());
  for (const auto& [text, id] : vocab.items()) tokens[id.get<size_t>()] = text;
  return tokens;
}

TEST(LegacyFiles, VocabTxt) {
  json expected = golden("bert");
  expected["tokenizer"]["model"]["max_input_chars_per_word"] = 100;
  const TemporaryFolder folder;
  std::string lines;
  for (const std::string& token : by_id(expected["tokenizer"]["model"]["vocab"])) {
    lines += token + "\n";
  }
  write(folder.path() / "vocab.txt", lines);
  const Tokenizer reference = Tokenizer::parse(expected["tokenizer"].dump(), "golden");
  const Tokenizer got = Tokenizer::load(folder.path());
  for (const json& one : expected["cases"]) {
    const auto text = one["text"].get<std::string>();
    EXPECT_EQ(got.encode(text).ids, reference.encode(text).ids) << text;
    EXPECT_EQ(got.encode_pair(text, "b").type_ids, reference.encode_pair(text, "b").type_ids);
  }
}

TEST(LegacyFiles, VocabTxtObeysTheConfiguration) {
  const TemporaryFolder folder;
  write(folder.path() / "vocab.txt", "[UNK]\n[CLS]\n[SEP]\nA\na\n");
  EXPECT_EQ(Tokenizer::load(folder.path()).encode("A").ids, (std::vector<int32_t>{1, 4, 2}));
  write(folder.path() / "tokenizer_config.json", R"({"do_lower_case":false})");
  EXPECT_EQ(Tokenizer::load(folder.path()).encode("A").ids, (std::vector<int32_t>{1, 3, 2}));
}

TEST(LegacyFiles, KeysOfAddedTokensAreIds) {
  const TemporaryFolder folder;
  write(folder.path() / "vocab.txt", "[UNK]\n[CLS]\n[SEP]\n");
  for (const std::string key : {"", "x", "1x", "99999999999"}) {
    write(folder.path() / "tokenizer_config.json",
          R"({"added_tokens_decoder":{")" + key + R"(":{"content":"[SEP]"}}})");
    try {
      (void)Tokenizer::load(folder.path());
      ADD_FAILURE() << "no error for key '" << key << "'";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kBadInput);
      EXPECT_THAT(e.what(), testing::HasSubstr("added_tokens_decoder has the key '" + key + "'"));
    }
  }
}

TEST(LegacyFiles, VocabJsonAndMerges) {
  const json expected = golden("roberta");
  const json& model = expected["tokenizer"]["model"];
  const TemporaryFolder folder;
  json vocab = model["vocab"];
  for (const json& token : expected["tokenizer"]["added_tokens"]) {
    vocab[token["content"].get<std::string>()] = token["id"];
  }
  write(folder.path() / "vocab.json", vocab.dump());
  std::string merges = "#version: 0.2\n";
  for (const json& merge : model["merges"]) {
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
  }
  write(folder.path() / "merges.txt", merges);
  expect_same(Tokenizer::load(folder.path()), expected);
}

/// A ModelProto with the pieces of a Unigram vocabulary; types as sentencepiece numbers them.
std::string sentencepiece_model(const json& vocab) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  for (size_t i = 0; i < vocab.size(); ++i) {
    protozero::pbf_writer piece(writer, 1);
    piece.add_string(1, vocab[i][0].get<std::string>());
    piece.add_float(2, vocab[i][1].get<float>());
    piece.add_enum(3, i == 3 ? 2 : i < 3 ? 3 : 1);
  }
  {
    protozero::pbf_writer trainer(writer, 2);
    trainer.add_enum(3, 1);
  }
  {
    protozero::pbf_writer normalizer(writer, 3);
    normalizer.add_bool(4, false);
  }
  return bytes;
}

TEST(LegacyFiles, SentencePieceUnigram) {
  json content = golden("xlmr")["tokenizer"];
  json& vocab = content["model"]["vocab"];
  for (json& entry : vocab) entry[1] = entry[1].get<float>();
  const TemporaryFolder folder;
  write(folder.path() / "spiece.model", sentencepiece_model(vocab));
  content["normalizer"] = nullptr;
  content["post_processor"] = nullptr;
  content["added_tokens"].erase(content["added_tokens"].size() - 1);  // <mask>
  const Tokenizer reference = Tokenizer::parse(content.dump(), "golden");
  const Tokenizer got = Tokenizer::load(folder.path());
  for (const std::string text :
       {"The quick brown fox", "  two  spaces", "caf\xC3\xA9 </s> x", "\xE4\xBD\xA0"}) {
    EXPECT_EQ(got.encode(text).ids, reference.encode(text).ids) << text;
    EXPECT_GT(got.encode(text).ids.size(), 1U) << text;
  }
}

TEST(LegacyFiles, SentencePieceBpeMakesMergesOfScores) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  const std::pair<std::string, float> pieces[] = {{"<unk>", 0.F}, {"a", -3.F},
                                                  {"b", -4.F},    {"ab", -1.F},
                                                  {"aab", -2.F},  {"\xE2\x96\x81", -5.F}};
  for (const auto& [text, score] : pieces) {
    protozero::pbf_writer piece(writer, 1);
    piece.add_string(1, text);
    piece.add_float(2, score);
    piece.add_enum(3, text == "<unk>" ? 2 : 1);
  }
  {
    protozero::pbf_writer trainer(writer, 2);
    trainer.add_enum(3, 2);
  }
  const TemporaryFolder folder;
  write(folder.path() / "tokenizer.model", bytes);
  EXPECT_EQ(Tokenizer::load(folder.path()).encode("aab aa").ids,
            (std::vector<int32_t>{5, 4, 5, 1, 1}));
}

/// A field of another wire type than it should have, and one that ends before its value: found by
/// fuzzing. The bytes are a block of their own, so that AddressSanitizer sees one too many.
TEST(LegacyFiles, DamagedSentencePieceModelsAreRefused) {
  for (const std::vector<char>& bytes :
       {std::vector<char>{0x19, 0x01, 0x22}, std::vector<char>{0x1A, 0x01, 0x20}}) {
    EXPECT_THROW(
        (void)sentencepiece_document(std::string_view(bytes.data(), bytes.size()), "file", {}),
        Error);
  }
}

TEST(LegacyFiles, DamagedOrMissing) {
  const TemporaryFolder folder;
  EXPECT_THROW((void)Tokenizer::load(folder.path()), Error);
  write(folder.path() / "spiece.model", "\x0a\xff\xff\xff");
  EXPECT_THROW((void)Tokenizer::load(folder.path()), Error);
  write(folder.path() / "vocab.txt", "");
  EXPECT_THROW((void)Tokenizer::load(folder.path()), Error);
}

}  // namespace
}  // namespace embedforge
