#include "pipeline/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/row_source.h"

namespace embedforge {
namespace {

/// Text in pieces of that size, so that every boundary is met.
class Pieces : public ByteSource {
 public:
  Pieces(std::string text, size_t size) : text_(std::move(text)), size_(size) {}
  size_t read(std::span<char> buffer) override {
    const size_t n = std::min({size_, buffer.size(), text_.size() - at_});
    std::copy_n(text_.begin() + static_cast<std::ptrdiff_t>(at_), n, buffer.begin());
    at_ += n;
    return n;
  }
  uint64_t consumed() const override { return at_; }
  bool seek(uint64_t /*offset*/) override { return false; }

 private:
  std::string text_;
  size_t size_, at_ = 0;
};

/// "line: field|field" of each record, "line! reason" of each broken one.
std::vector<std::string> csv(const std::string& text, size_t piece = 1, size_t most = 1000) {
  BufferedBytes bytes(std::make_unique<Pieces>(text, piece));
  CsvReader reader(bytes, ',', most);
  std::vector<std::string> out;
  while (true) {
    const Found found = reader.next();
    const std::string line = std::to_string(reader.line_number());
    if (found == Found::kEnd) return out;
    std::string fields;
    for (const std::string& field : reader.fields()) fields += "|" + field;
    if (!fields.empty()) fields.erase(0, 1);
    out.push_back(found == Found::kBroken ? line + "! " + reader.reason() : line + ": " + fields);
  }
}

std::vector<std::string> lines(const std::string& text, size_t piece, size_t most) {
  BufferedBytes bytes(std::make_unique<Pieces>(text, piece));
  LineReader reader(bytes, most);
  std::vector<std::string> out;
  for (Found found = reader.next(); found != Found::kEnd; found = reader.next())
    out.emplace_back(found == Found::kBroken ? "!" : std::string(reader.line()));
  EXPECT_EQ(reader.place().line, out.size());
  EXPECT_EQ(reader.place().offset, text.size());
  return out;
}

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Records, LinesOfEveryEnding) {
  for (const size_t piece : {1, 2, 7, 1000}) {
    EXPECT_THAT(lines("a\r\n\nb\nlast", piece, 100), ElementsAre("a", "", "b", "last"));
    EXPECT_THAT(lines("\xEF\xBB\xBF"
                      "a\n",
                      piece, 100),
                ElementsAre("a"));
    EXPECT_THAT(lines("", piece, 100), ElementsAre());
    EXPECT_THAT(lines("\n", piece, 100), ElementsAre(""));
    EXPECT_THAT(
        lines("123456\n12345\n" + std::string(50, 'x') + "\nok\n" + std::string(9, 'y'), piece, 5),
        ElementsAre("!", "12345", "!", "ok", "!"));
  }
}

TEST(Records, CsvAsRfc4180HasIt) {
  for (const size_t piece : {1, 2, 3, 5, 1000}) {
    EXPECT_THAT(
        csv("a,b\r\n1,\"two \"\"2\"\", and\n\r\n3\"\n,\n\"\",x\"y\nlast,", piece),
        ElementsAre("1: a|b", "2: 1|two \"2\", and\n\r\n3", "5: |", "6: |x\"y", "7: last|"));
    EXPECT_THAT(csv("\xEF\xBB\xBF\"a\",b\n", piece), ElementsAre("1: a|b"));
    EXPECT_THAT(csv("\n\r\na,b\n\n", piece), ElementsAre("3: a|b"));
    EXPECT_THAT(csv("\"whole\"", piece), ElementsAre("1: whole"));
    EXPECT_THAT(csv("\"whole\"\r", piece), ElementsAre("1: whole"));
    EXPECT_THAT(csv("", piece), ElementsAre());
  }
}

TEST(Records, AfterABrokenRowTheNextLineIsRead) {
  for (const size_t piece : {1, 3, 1000}) {
    EXPECT_THAT(csv("a,b\n1,\"open\n2,fine\n3,\"x\" y\n4,fine\n", piece),
                ElementsAre("1: a|b", HasSubstr("2! text behind"), "3: 2|fine",
                            HasSubstr("4! text behind"), "5: 4|fine"));
    EXPECT_THAT(csv("1,\"never\n2,fine\n3,fine", piece),
                ElementsAre("1! a quote that never closes", "2: 2|fine", "3: 3|fine"));
    EXPECT_THAT(
        csv("1," + std::string(60, 'x') + "\n2,fine\n\"" + std::string(90, 'y') + "\n3,fine\n",
            piece, 50),
        ElementsAre(HasSubstr("longer than 50"), "2: 2|fine", HasSubstr("longer than 50"),
                    "4: 3|fine"));
  }
}

TEST(Records, FieldsOfJsonLines) {
  FieldPicker picker({.id_field = "id", .text_template = "{a}-{b}"});
  Row row;
  EXPECT_EQ(picker.from_json(R"({"a":"x","b":3,"id":"q\""})", row), "");
  EXPECT_EQ(row.text, "x-3");
  EXPECT_EQ(row.id, R"("q\"")");
  EXPECT_EQ(picker.from_json(R"({"a":"x","b":true,"id":123456789012345678901234567890})", row), "");
  EXPECT_EQ(row.text, "x-true");
  EXPECT_THAT(picker.from_json(R"({"a":"x","id":1})", row), HasSubstr("no field \"b\""));
  EXPECT_THAT(picker.from_json(R"({"a":"x","b":null,"id":1})", row), HasSubstr("null"));
  EXPECT_THAT(picker.from_json(R"({"a":"x","b":"y","id":[]})", row), HasSubstr("a list"));
  EXPECT_THAT(picker.from_json(R"({"a":"x","b":"y",)", row), HasSubstr("broken JSON at byte"));
  EXPECT_THAT(picker.from_json("{\"a\":\"\xff\"}", row), HasSubstr("not UTF-8 at byte 7"));
  EXPECT_THAT(picker.from_json(std::string(5000, '['), row), HasSubstr("JSON"));
  EXPECT_THAT(picker.from_json("17", row), HasSubstr("a number"));
  FieldPicker plain({});
  EXPECT_EQ(plain.from_json(R"({"text":"a\u0000\ud83d\ude00"})", row), "");
  EXPECT_THAT(plain.from_json(R"({"text":3})", row), HasSubstr("a number, not a string"));
  EXPECT_NE(plain.from_json(R"({"text":"\ud83d"})", row), "");
}

}  // namespace
}  // namespace embedforge
