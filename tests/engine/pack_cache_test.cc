#include "engine/pack_cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "engine/engine.h"
#include "kernels/select.h"
#include "support/random_bert.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
constexpr BertShape kTiny{
    .hidden = 64, .layers = 1, .heads = 2, .inner = 96, .vocabulary = 50, .positions = 40};

class PackCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("pack_cache_test." + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    model_ = folder_ / "model.onnx";
    std::ofstream(model_) << "stands for a model";
    setenv("EMBEDFORGE_CACHE", (folder_ / "cache").c_str(), 1);
  }
  void TearDown() override {
    setenv("EMBEDFORGE_CACHE", "", 1);
    fs::remove_all(folder_);
  }
  std::vector<float> embed(const Program& program, Compute compute = Compute::kAuto) const {
    const Engine engine(program, {.compute = compute, .threads = 1, .model = model_});
    const std::vector<int32_t> ids = {1, 2, 3, 4};
    const std::vector<size_t> offsets = {0, 4};
    std::vector<float> out(engine.hidden_size());
    engine.pooled({ids, {}, offsets}, out.data());
    return out;
  }
  std::vector<fs::path> packs() const {
    std::vector<fs::path> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_ / "cache", error))
      found.push_back(entry.path());
    return found;
  }
  fs::path folder_, model_;
};

TEST_F(PackCacheTest, WhatWasUsedLongestAgoMakesRoom) {
  const fs::path cache = folder_ / "cache";
  fs::create_directories(cache);
  const auto put = [&](const char* name, int hours_ago) {
    std::ofstream(cache / name) << std::string(100, 'x');
    fs::last_write_time(cache / name,
                        fs::file_time_type::clock::now() - std::chrono::hours(hours_ago));
  };
  put("newest.pack", 1);
  put("oldest.pack", 3);
  put("middle.pack", 2);
  put("not_a_pack", 9);
  make_room(cache, 50, 350);
  EXPECT_EQ(packs().size(), 4U);
  make_room(cache, 51, 350);
  EXPECT_FALSE(fs::exists(cache / "oldest.pack"));
  EXPECT_EQ(packs().size(), 3U);
  make_room(cache, 250, 350);
  EXPECT_FALSE(fs::exists(cache / "middle.pack"));
  EXPECT_TRUE(fs::exists(cache / "newest.pack"));
  EXPECT_TRUE(fs::exists(cache / "not_a_pack"));
  make_room(folder_ / "nowhere", 1, 0);
}

TEST_F(PackCacheTest, ALoadCountsAsUse) {
  const Program program = RandomBert(kTiny).build();
  embed(program);
  ASSERT_EQ(packs().size(), 1U);
  const auto before = fs::file_time_type::clock::now() - std::chrono::hours(5);
  fs::last_write_time(packs()[0], before);
  embed(program);
  EXPECT_GT(fs::last_write_time(packs()[0]), before + std::chrono::hours(1));
}

TEST_F(PackCacheTest, SecondLoadReadsWhatTheFirstWrote) {
  const Program program = RandomBert(kTiny).build();
  const auto first = embed(program);
  ASSERT_EQ(packs().size(), 1U);
  PackCache cache(folder_ / "cache", pack_key(model_, kernels::best_table().name, "auto"));
  EXPECT_TRUE(cache.reading());
  EXPECT_EQ(embed(program), first);
  // The mapped weights are what is used: another program of the same shape gets the first one's
  // from the cache.
  EXPECT_NE(embed(RandomBert(kTiny, 7).build()),
            first);  // its embeddings and norms aren't packed, so the result differs
  EXPECT_EQ(packs().size(), 1U);
}

TEST_F(PackCacheTest, AChangedModelReplacesItsPack) {
  embed(RandomBert(kTiny).build());
  std::ofstream(model_) << "another model, of another size";
  const Program other = RandomBert(kTiny, 5).build();
  const auto cached = embed(other);
  setenv("EMBEDFORGE_CACHE", "", 1);
  EXPECT_EQ(embed(other), cached);
  EXPECT_EQ(packs().size(), 1U);
}

TEST_F(PackCacheTest, DamageAnywhereIsNoticed) {
  const Program program = RandomBert(kTiny).build();
  const auto expected = embed(program);
  const fs::path pack = packs().at(0);
  const auto size = fs::file_size(pack);
  for (const size_t at : {size_t{3}, size_t{9}, size_t{70}, static_cast<size_t>(size) / 2,
                          static_cast<size_t>(size) - 1}) {
    {
      std::fstream file(pack, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const auto byte = static_cast<char>(file.get() ^ 0x40);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(byte);
    }
    EXPECT_FALSE(PackCache(folder_ / "cache", pack_key(model_, kernels::best_table().name, "auto"))
                     .reading())
        << at;
    EXPECT_EQ(embed(program), expected) << at;
  }
  fs::resize_file(pack, size / 3);
  EXPECT_EQ(embed(program), expected);
}

TEST_F(PackCacheTest, AnotherShapeUnderTheSameNameIsPackedAgain) {
  embed(RandomBert(kTiny).build());
  BertShape wider = kTiny;
  wider.inner = 160;
  const Program program = RandomBert(wider).build();
  const auto got = embed(program);
  setenv("EMBEDFORGE_CACHE", "", 1);
  EXPECT_EQ(embed(program), got);
}

TEST_F(PackCacheTest, AFolderThatCannotBeWrittenIsLeftAlone) {
  setenv("EMBEDFORGE_CACHE", "/proc/embedforge", 1);
  const Program program = RandomBert(kTiny).build();
  EXPECT_EQ(embed(program), embed(program));
}

}  // namespace
}  // namespace embedforge
