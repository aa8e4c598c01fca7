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
    EXPECT_NE(std::string(e.what()).find("portable"), std::string::npos);
  }
}

TEST(Select, PortableAndReferenceRunEverywhereAndTheBestIsSupported) {
  EXPECT_EQ(why_unsupported("portable"), "");
  EXPECT_EQ(why_unsupported("reference"), "");
  EXPECT_EQ(table_names().back(), "reference");
  EXPECT_EQ(why_unsupported(best_table().name), "");
}

}  // namespace
}  // namespace embedforge::kernels
