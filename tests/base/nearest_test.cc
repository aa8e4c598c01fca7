#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace embedforge {
namespace {

const std::vector<std::string> kCommands = {"encode", "embed", "serve", "similarity"};
const std::vector<std::string> kModels = {"sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-m3"};

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest("encod", kCommands), "encode");
  EXPECT_EQ(nearest("serv", kCommands), "serve");
  EXPECT_EQ(nearest("SIMILARTY", kCommands), "similarity");
  EXPECT_EQ(nearest("all-minilm-l6-v2", kModels), "sentence-transformers/all-MiniLM-L6-v2");
  EXPECT_EQ(nearest("sentence-transformer/all-MiniLM-L6-v2", kModels),
            "sentence-transformers/all-MiniLM-L6-v2");
}

TEST(Nearest, DoesNotGuessWildly) {
  EXPECT_EQ(nearest("xyz", kCommands), "");
  EXPECT_EQ(nearest("", kCommands), "");
  EXPECT_EQ(nearest("encode", {}), "");
  EXPECT_EQ(did_you_mean("quantum", kCommands), "");
  EXPECT_EQ(did_you_mean("serv", kCommands), "; did you mean serve?");
}

}  // namespace
}  // namespace embedforge
