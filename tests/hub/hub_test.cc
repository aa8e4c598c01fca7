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
  const fs::path snapshot = "cache/models--owner--name/snapshots/abc123";
  for (const char* name : {"config.json", "tokenizer.json", "onnx/model.onnx", ".gitattributes"})
    write(snapshot / name, "");
  const ResolvedModel found = resolve_model("owner/name");
  EXPECT_EQ(found.folder, folder_.path() / snapshot);
  EXPECT_TRUE(found.file.empty());
}

TEST_F(HubTest, OfflineNamesWhatAHalfFilledCacheLacks) {
  const fs::path model = "cache/models--owner--name";
  const fs::path snapshot = model / "snapshots/abc123";
  write(model / "refs/main", "abc123");
  for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"})
    write(snapshot / name, "{}");
  EXPECT_THAT(message_of("owner/name"), testing::HasSubstr("modules.json"));
  EXPECT_THAT(message_of("owner/name"), testing::HasSubstr("HF_HUB_OFFLINE"));
  // What huggingface_hub noted as absent isn't missing.
  for (const char* name :
       {"config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer_config.json"})
    write(model / ".no_exist/abc123" / name, "");
  EXPECT_THAT(message_of("owner/name"), testing::HasSubstr("knows: modules.json ("));
  write(snapshot / "modules.json",
        R"([{"path": "", "type": "a.Transformer"}, {"path": "my pooling", "type": "a.Pooling"},
            {"path": "2_D", "type": "a.Dense"}, {"path": "3_N", "type": "a.Normalize"}])");
  EXPECT_THAT(message_of("owner/name"),
              testing::HasSubstr("my pooling/config.json, 2_D/config.json, 2_D/model.safetensors"));
  write(snapshot / "my pooling/config.json", "{}");
  write(snapshot / "2_D/config.json", "{}");
  write(snapshot / "2_D/odd name.safetensors", "");
  EXPECT_EQ(resolve_model("owner/name", PullWhat::kWeights).folder, folder_.path() / snapshot);
  fs::remove(folder_.path() / snapshot / "model.safetensors");
  write(snapshot / "model.safetensors.index.json",
        R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  write(snapshot / "one.safetensors", "");
  EXPECT_THAT(message_of("owner/name"), testing::HasSubstr("knows: two.safetensors ("));
}

TEST_F(HubTest, OfflineNamesARevisionThatIsThere) {
  write("cache/models--owner--name/refs/v1", "abc123");
  EXPECT_THAT(message_of("owner/name"), testing::HasSubstr("only v1"));
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
