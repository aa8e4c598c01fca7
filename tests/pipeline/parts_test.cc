#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "embedforge/error.h"
#include "pipeline/bounded_queue.h"
#include "pipeline/chunks.h"
#include "pipeline/vector_cache.h"
#include "pipeline/vector_format.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

using Offsets = std::vector<std::pair<uint32_t, uint32_t>>;

std::vector<std::string> pieces(const std::string& text, const Offsets& offsets, size_t tokens,
                                size_t overlap) {
  std::vector<std::string> out;
  for (const TextPiece& piece : cut_into_pieces(text, offsets, tokens, overlap))
    out.push_back(text.substr(piece.begin, piece.end - piece.begin));
  return out;
}

using testing::ElementsAre;

TEST(Chunks, AreCutAtWordsAndLeaveNothingOut) {
  const std::string text = "ä bc def gh";  // tokens: ä bc d ##e ##f gh
  const Offsets offsets = {{0, 1}, {2, 4}, {5, 6}, {6, 7}, {7, 8}, {9, 11}};
  EXPECT_THAT(pieces(text, offsets, 6, 0), ElementsAre(text));
  EXPECT_THAT(pieces(text, offsets, 3, 0), ElementsAre("ä bc", "def", "gh"));
  EXPECT_THAT(pieces(text, offsets, 2, 0), ElementsAre("ä bc", "de", "f gh"));
  EXPECT_THAT(pieces(text, offsets, 4, 1), ElementsAre("ä bc de", "ef gh"));
  EXPECT_THAT(pieces(text, offsets, 1, 0), ElementsAre("ä", "bc", "d", "e", "f", "gh"));
  EXPECT_THAT(pieces("", {}, 5, 1), ElementsAre(""));
  for (size_t tokens = 1; tokens < 8; ++tokens) {
    for (size_t overlap = 0; overlap < tokens; ++overlap) {
      const auto parts = cut_into_pieces(text, offsets, tokens, overlap);
      EXPECT_EQ(parts.front().begin, 0);
      EXPECT_EQ(parts.back().end, text.size());
      for (size_t i = 1; i < parts.size(); ++i) EXPECT_LE(parts[i].begin, parts[i - 1].end + 1);
    }
  }
}

TEST(VectorCacheTest, EncodesARepeatedTextOnceWithinItsBytes) {
  VectorCache cache(10'000);
  std::vector<std::string> asked;
  const auto encode = [&](std::span<const std::string_view> texts) {
    Matrix out{texts.size(), 2, {}};
    for (const std::string_view text : texts) {
      asked.emplace_back(text);
      out.values.insert(out.values.end(), {static_cast<float>(text.size()), 1});
    }
    return out;
  };
  size_t repeated = 0;
  const std::vector<std::string_view> texts = {"a", "bb", "a", "ccc", "bb"};
  EXPECT_THAT(encode_once(texts, 2, cache, repeated, encode).values,
              ElementsAre(1, 1, 2, 1, 1, 1, 3, 1, 2, 1));
  EXPECT_EQ(repeated, 2);
  encode_once(texts, 2, cache, repeated, encode);
  EXPECT_EQ(repeated, 5);
  EXPECT_THAT(asked, ElementsAre("a", "bb", "ccc"));
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back("text " + std::to_string(i));
  const std::vector<std::string_view> views(many.begin(), many.end());
  encode_once(views, 2, cache, repeated, encode);
  encode_once(texts, 2, cache, repeated, encode);
  EXPECT_EQ(repeated, 2) << "what is old goes";
}

TEST(BoundedQueueTest, WhoIsAheadWaitsAndCloseWakesAll) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 1000 && queue.push(i); ++i) {
    }
    queue.close();
  });
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(queue.pop(), i);
  EXPECT_FALSE(queue.pop());
  producer.join();
  BoundedQueue<int> full(1);
  EXPECT_TRUE(full.push(1));
  std::thread waiting([&] { EXPECT_FALSE(full.push(2)); });
  full.close(true);
  waiting.join();
  EXPECT_FALSE(full.pop_for(std::chrono::milliseconds(1)));
}

TEST(VectorFormat, HeadersNamesAndRanges) {
  EXPECT_EQ(npy_header(VectorType::kFloat32, 18446744073709551615U, 8192).size(), kNpyHeaderSize);
  EXPECT_EQ(output_format_of("a.npy"), OutputFormat::kNpy);
  EXPECT_EQ(output_format_of("a.jsonl"), OutputFormat::kJsonl);
  EXPECT_EQ(output_format_of("a.raw"), OutputFormat::kRaw);
  EXPECT_THROW(output_format_of("a.parquet"), Error);
  EXPECT_THROW(output_format_of("a"), Error);
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "r.npy").string();
  const auto write = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  };
  const std::vector<float> numbers = {-1, -2, 1, 2};
  const std::string data(reinterpret_cast<const char*>(numbers.data()), 16);
  write(npy_header(VectorType::kFloat32, 2, 2) + data);
  EXPECT_THAT(read_ranges(path).least, ElementsAre(-1, -2));
  EXPECT_THAT(read_ranges(path).greatest, ElementsAre(1, 2));
  for (const std::string& wrong :
       {std::string(), npy_header(VectorType::kFloat32, 3, 2) + data,
        npy_header(VectorType::kFloat32, 2, 99) + data, npy_header(VectorType::kInt8, 2, 2) + data,
        npy_header(VectorType::kFloat32, 2, 2) + data + "x",
        std::string("\x93NUMPY\x01\0\xff\xff", 10) + data}) {
    write(wrong);
    EXPECT_THROW(read_ranges(path), Error);
  }
  Vectors vectors{VectorType::kBinary, 1, 2, {}, {0x80, 0x7F}};
  std::string json;
  append_json_row(vectors, 0, json);
  EXPECT_EQ(json, "[-128,127]");
}

}  // namespace
}  // namespace embedforge
