#include "pipeline/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <fstream>
#include <string>
#include <vector>

#include "embedforge/error.h"
#include "pipeline/buffered_bytes.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

std::string gzipped(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd_packed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string all_of(const std::string& path) {
  const auto source = open_bytes(path);
  std::string out;
  std::vector<char> buffer(1000);
  while (const size_t n = source->read(buffer)) out.append(buffer.data(), n);
  return out;
}

class ByteSourceTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << content;
    return (folder_.path() / name).string();
  }
  std::string reason(const std::string& name, const std::string& content) const {
    try {
      all_of(file(name, content));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static std::string numbers() {
    std::string out;
    for (int i = 0; i < 60'000; ++i) out += std::to_string(i * 7919) + "\n";
    return out;
  }
  TemporaryFolder folder_;
};

TEST_F(ByteSourceTest, PlainGzipAndZstdAlsoOfSeveralMembers) {
  const std::string text = numbers();
  EXPECT_EQ(all_of(file("a", text)), text);
  EXPECT_EQ(all_of(file("a.gz", gzipped(text))), text);
  EXPECT_EQ(all_of(file("b.gz", gzipped(text) + gzipped("x") + std::string(100, '\0'))),
            text + "x");
  EXPECT_EQ(all_of(file("a.zst", zstd_packed(text))), text);
  EXPECT_EQ(all_of(file("b.zst", zstd_packed(text) + zstd_packed("") + zstd_packed("x"))),
            text + "x");
  EXPECT_EQ(all_of(file("packed without saying so", gzipped(text))), text);
  EXPECT_EQ(all_of(file("empty", "")), "");
}

TEST_F(ByteSourceTest, EveryCutAndDamageIsAnError) {
  const std::string text = numbers().substr(0, 5000);
  const std::string gzip = gzipped(text);
  const std::string zstd = zstd_packed(text);
  for (const double share : {0.01, 0.3, 0.9, 0.99}) {
    const auto part = [&](const std::string& whole) {
      return whole.substr(0,
                          static_cast<size_t>(share * static_cast<double>(whole.size() - 8)) + 4);
    };
    EXPECT_THAT(reason("a.gz", part(gzip)), testing::HasSubstr("cut off")) << share;
    EXPECT_THAT(reason("a.zst", part(zstd)), testing::HasSubstr("cut off")) << share;
  }
  EXPECT_THAT(reason("a.gz", gzip + "behind it"), testing::HasSubstr("damaged gzip"));
  EXPECT_THAT(reason("a.zst", zstd + "behind it"), testing::HasSubstr("damaged zstd"));
  EXPECT_THAT(reason("a.gz", text), testing::HasSubstr("isn't gzip"));
  EXPECT_THAT(reason("a.gz", ""), testing::HasSubstr("isn't gzip"));
}

TEST_F(ByteSourceTest, GoesToAnyByteAndHashesWhatWasSkipped) {
  const std::string text = numbers();
  for (const std::string& path : {file("a", text), file("a.gz", gzipped(text))}) {
    for (const bool hashed : {false, true}) {
      BufferedBytes bytes(open_bytes(path));
      bytes.hash_skipped(hashed);
      bytes.go_to(300'001);
      while (bytes.view().size() < 10) ASSERT_TRUE(bytes.more());
      EXPECT_EQ(bytes.view().substr(0, 10), text.substr(300'001, 10));
      EXPECT_EQ(bytes.offset(), 300'001);
      EXPECT_EQ(bytes.hash() != 0, hashed);
    }
    BufferedBytes bytes(open_bytes(path));
    EXPECT_THROW(
        {
          bytes.go_to(text.size() + 1);
          while (bytes.more()) {
          }
        },
        Error);
  }
}

TEST_F(ByteSourceTest, AnotherContentIsAnotherIdentity) {
  const std::string path = file("a", "one");
  const FileIdentity before = identify_file(path);
  EXPECT_EQ(before, identify_file(path));
  file("a", "two");
  EXPECT_NE(before.prefix_hash, identify_file(path).prefix_hash);
  EXPECT_EQ(identify_file("-").stream, true);
  EXPECT_THROW(identify_file(path + ".none"), Error);
  EXPECT_THROW(identify_file(folder_.path().string()), Error);
}

}  // namespace
}  // namespace embedforge
