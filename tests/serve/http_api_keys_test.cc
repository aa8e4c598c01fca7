#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "embedforge/error.h"
#include "serve/api_keys.h"
#include "support/expect_error.h"
#include "temporary_folder.h"

namespace embedforge::serve {
namespace {

using testing::HasSubstr;
using testing::Optional;

Request with(const std::string& name, const std::string& value) {
  return {.headers = {{name, value}}};
}

TEST(ApiKeysTest, KnowsAKeyHoweverItIsSent) {
  ApiKeys keys;
  EXPECT_TRUE(keys.empty());
  keys.add("secret");
  keys.add("other");
  EXPECT_THAT(keys.name_of(with("authorization", "Bearer secret")), Optional(std::string("key1")));
  EXPECT_THAT(keys.name_of(with("authorization", "bearer  other")), Optional(std::string("key2")));
  EXPECT_THAT(keys.name_of(with("authorization", "secret")), Optional(std::string("key1")));
  EXPECT_THAT(keys.name_of(with("x-api-key", "other")), Optional(std::string("key2")));
  for (const std::string wrong : {"Bearer secre", "Bearer secrets", "Basic secret", "Bearer", ""})
    EXPECT_EQ(keys.name_of(with("authorization", wrong)), std::nullopt) << wrong;
  EXPECT_EQ(keys.name_of({}), std::nullopt);
}

TEST(ApiKeysTest, ReadsAFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "keys";
  std::ofstream(file) << "# ours\n\nsearch team: abc\n  def \r\nwith:colon\n";
  std::string warning;
  const auto warn = [&](const std::string& text) { warning = text; };
  chmod(file.c_str(), 0600);
  ApiKeys keys;
  keys.add_file(file, warn);
  EXPECT_EQ(warning, "");
  EXPECT_THAT(keys.name_of(with("x-api-key", "abc")), Optional(std::string("search team")));
  EXPECT_THAT(keys.name_of(with("x-api-key", "def")), Optional(std::string("key2")));
  EXPECT_THAT(keys.name_of(with("x-api-key", "with:colon")), Optional(std::string("key3")));
  chmod(file.c_str(), 0644);
  keys.add_file(file, warn);
  EXPECT_THAT(warning, HasSubstr("chmod 600"));
}

TEST(ApiKeysTest, NamesTheLineThatIsWrong) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "keys";
  const auto refusal = [&](const std::string& text) {
    std::ofstream(file) << text;
    ApiKeys keys;
    return error_of(ErrorCode::kBadInput, [&] { keys.add_file(file, [](const auto&) {}); });
  };
  EXPECT_THAT(refusal("good: key\nname:\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal(": key\n"), HasSubstr("line 1"));
  EXPECT_THAT(refusal("# nothing\n"), HasSubstr("no key in the file"));
  ApiKeys keys;
  EXPECT_THAT(
      error_of(ErrorCode::kBadInput, [&] { keys.add_file(folder.path(), [](const auto&) {}); }),
      HasSubstr("can't be read"));
}

}  // namespace
}  // namespace embedforge::serve
