#include "kernels/select.h"

#include <gtest/gtest.h>

#include "embedforge/error.h"

namespace embedforge::kernels {
namespace {

TEST(Select, UnknownNameIsAUsageErrorThatListsTheChoices) {
  try {
    table("sse9");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(e.what()).find("avx2"), std::string::npos);
  }
}

TEST(Select, ReferenceRunsEverywhereAndTheBestIsSupported) {
  EXPECT_EQ(why_unsupported("reference"), "");
  EXPECT_EQ(why_unsupported(best_table().name), "");
}

}  // namespace
}  // namespace embedforge::kernels
