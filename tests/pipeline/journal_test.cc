#include "pipeline/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "embedforge/error.h"
#include "pipeline/growing_file.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

TEST(JournalFile, KeepsTheLastCheckpointAndOneThatIsTornDoesNotCount) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "o.journal";
  {
    Journal journal(path);
    EXPECT_FALSE(journal.content());
    EXPECT_THROW(Journal{path}, Error) << "two runs";
    journal.begin({{"field", "text"}});
    for (uint64_t i = 1; i <= 5; ++i)
      journal.save({.input = {1, UINT64_MAX, 3, UINT64_MAX}, .rows = i, .output_tail = UINT64_MAX});
  }
  const std::string bytes = content_of(path);
  const auto whole = parse_journal(bytes, "o.journal");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->last.rows, 5);
  EXPECT_EQ(whole->last.input, (InputPosition{1, UINT64_MAX, 3, UINT64_MAX}));
  EXPECT_EQ(whole->job, (nlohmann::json{{"field", "text"}}));
  const size_t slots = bytes.find('\n') + 1;
  for (size_t i = 0; i < kSlotSize; ++i) {
    std::string torn = bytes;
    torn[slots + kSlotSize + i] ^= 1;  // the fifth lies in the second slot
    EXPECT_EQ(parse_journal(torn, "o.journal")->last.rows, 4) << i;
  }
  EXPECT_THROW(parse_journal(bytes.substr(0, slots + 100), "o.journal"), Error);
  EXPECT_THROW(parse_journal("{}\n", "o.journal"), Error);
  EXPECT_FALSE(parse_journal("", "o.journal"));
  Journal again(path);
  again.go_on(*again.content());
  again.save({.rows = 6});
  EXPECT_EQ(again.content()->last.rows, 6);
}

TEST(JournalFile, SaysWhatDiffers) {
  const nlohmann::json one = {{"field", "text"}, {"model", {{"files", {{"a", "1"}}}}}};
  nlohmann::json two = one;
  EXPECT_EQ(job_difference(one, two), "");
  two["model"]["files"]["a"] = "2";
  EXPECT_EQ(job_difference(one, two), R"(model: files: a was "1" and is "2")");
  two = one;
  two.erase("field");
  EXPECT_EQ(job_difference(one, two), "field is gone");
}

TEST(JournalFile, AFileGrowsOverSeveralRuns) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "o.raw";
  uint64_t hash = 0;
  {
    GrowingFile file(path, 0);
    file.write("0123456789");
    hash = file.tail_hash(4);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_THROW(GrowingFile(path, 11), Error);
  GrowingFile file(path, 4);
  EXPECT_EQ(file.tail_hash(4), hash);
  file.write("xyz");
  file.overwrite(0, "A");
  file.commit();
  EXPECT_EQ(content_of(path), "A123xyz");
  GrowingFile nothing(path, 0);
  nothing.commit();
  EXPECT_FALSE(std::filesystem::exists(path)) << "a file without bytes isn't made";
}

}  // namespace
}  // namespace embedforge
