#include "evaluate/sts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "embedforge/error.h"
#include "temporary_folder.h"

namespace embedforge::evaluation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StsTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& content) {
    std::ofstream(folder_.path() / "pairs.csv", std::ios::binary) << content;
    return folder_.path() / "pairs.csv";
  }
  std::string complaint(const std::string& content) {
    try {
      read_sts(write(content));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput);
      return error.what();
    }
    return "none";
  }
  TemporaryFolder folder_;
};

TEST_F(StsTest, ReadsQuotedColumnsWithoutAHeader) {
  const StsPairs pairs = read_sts(write("a,\"b, \"\"c\"\"\nd\",4.5\r\n\r\nWhat \"is\" it,no,0\n"));
  EXPECT_THAT(pairs.left, ElementsAre("a", "What \"is\" it"));
  EXPECT_THAT(pairs.right, ElementsAre("b, \"c\"\nd", "no"));
  EXPECT_THAT(pairs.scores, ElementsAre(4.5, 0));
}

TEST_F(StsTest, FindsColumnsByName) {
  const StsPairs pairs = read_sts(
      write("split\tscore\tsentence1\tsentence2\ntest\t1.5\tone, two\t\"three\ntest\t2\tx\ty\n"));
  EXPECT_THAT(pairs.left, ElementsAre("one, two", "x"));
  EXPECT_THAT(pairs.right, ElementsAre("\"three", "y"));
  EXPECT_THAT(pairs.scores, ElementsAre(1.5, 2));
}

TEST_F(StsTest, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(complaint(""), HasSubstr("no pairs"));
  EXPECT_THAT(complaint("a,b,1\na,b\n"), HasSubstr("line 2"));
  EXPECT_THAT(complaint("a,b,1\n\"x\ny\",b,1\na,b,much\n"), HasSubstr("line 4"));
  EXPECT_THAT(complaint("sentence1,sentence2,other\n"), HasSubstr("score"));
  EXPECT_THAT(complaint("a,\xFF,1\n"), HasSubstr("UTF-8"));
  EXPECT_THAT(complaint(std::string("a\0b,c,1\n", 8)), HasSubstr("UTF-8"));
}

// scipy.stats.spearmanr([1, 2, 2, 4, 5], [5, 6, 7, 7, 1]) = -0.13157894736842107
TEST(Spearman, SharesTheRankOfEqualValues) {
  const std::vector<double> x = {1, 2, 2, 4, 5};
  const std::vector<double> y = {5, 6, 7, 7, 1};
  EXPECT_NEAR(spearman(x, y), -0.13157894736842107, 1e-14);
  EXPECT_DOUBLE_EQ(spearman(x, x), 1);
  EXPECT_THROW(spearman(x, std::vector<double>(5, 3.0)), Error);
}

}  // namespace
}  // namespace embedforge::evaluation
