#include "hub/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "embedforge/error.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

class HubTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("HF_HUB_CACHE", (folder_.path() / "cache").c_str(), 1);
    setenv("HF_HUB_OFFLINE", "1", 1);
  }
  void TearDown() override {
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_HUB_OFFLINE");
  }

  void write(const fs::path& relative, const std::string& text) const {
    fs::create_directories((folder_.path() / relative).parent_path());
    std::ofstream(folder_.path() / relative) << text;
  }
  std::string message_of(const std::string& model) const {
    try {
      resolve_model(model);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

TEST_F(HubTest, TakesAFolderAsItIs) {
  EXPECT_EQ(resolve_model(folder_.path().string()).folder, folder_.path());
}

TEST_F(HubTest, FindsTheRevisionThatMainNames) {
  write("cache/models--owner--name/refs/main", "abc123");
  write("cache/models--owner--name/snapshots/abc123/config.json", "{}");
  const ResolvedModel found = resolve_model("owner/name");
  EXPECT_EQ(found.folder, folder_.path() / "cache/models--owner--name/snapshots/abc123");
  EXPECT_TRUE(found.file.empty());
}

TEST_F(HubTest, AnOnnxFileInOnnxBelongsToTheFolderAbove) {
  write("model/onnx/model.onnx", "");
  write("model/tokenizer.json", "{}");
  const fs::path file = folder_.path() / "model/onnx/model.onnx";
  EXPECT_EQ(resolve_model(file.string()).folder, fs::canonical(folder_.path() / "model"));
  EXPECT_EQ(resolve_model(file.string()).file, file);
  write("model/onnx/tokenizer.json", "{}");
  EXPECT_EQ(resolve_model(file.string()).folder, file.parent_path());
}

TEST_F(HubTest, SaysWhatIsWrong) {
  EXPECT_THAT(message_of("owner/missing"), testing::HasSubstr("owner/missing"));
  EXPECT_THAT(message_of("nothing.onnx"), testing::HasSubstr("no such file"));
  EXPECT_THAT(message_of("../up"), testing::HasSubstr("not a hub id"));
  EXPECT_THAT(message_of("a/b/c"), testing::HasSubstr("not a hub id"));
  EXPECT_THAT(message_of(""), testing::HasSubstr("empty"));
  write("cache/models--owner--broken/refs/main", "../../etc");
  EXPECT_THAT(message_of("owner/broken"), testing::HasSubstr("names no revision"));
  write("cache/models--owner--gone/refs/main", "abc");
  EXPECT_THAT(message_of("owner/gone"), testing::HasSubstr("not in the cache"));
}

TEST_F(HubTest, FollowsTheVariablesOfHuggingFace) {
  EXPECT_EQ(hub_cache(), folder_.path() / "cache");
  unsetenv("HF_HUB_CACHE");
  setenv("HF_HOME", "/somewhere", 1);
  EXPECT_EQ(hub_cache(), "/somewhere/hub");
  unsetenv("HF_HOME");
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(hub_cache(), "/xdg/huggingface/hub");
  unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace embedforge
