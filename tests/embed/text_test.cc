#include "embed/text.h"

#include <gtest/gtest.h>

namespace embedforge {
namespace {

TEST(Strip, RemovesWhatPythonRemoves) {
  EXPECT_EQ(strip("  a b\t\n"), "a b");
  EXPECT_EQ(strip("\xE3\x80\x80x\xC2\xA0"), "x");      // ideographic space, no-break space
  EXPECT_EQ(strip("\x1F\x1Cy\xE2\x80\xA8"), "y");      // separators
  EXPECT_EQ(strip("\xE2\x80\x8Bz"), "\xE2\x80\x8Bz");  // a zero-width space is no space
  EXPECT_EQ(strip(" \xF0\x9F\x98\x80 "), "\xF0\x9F\x98\x80");
  EXPECT_EQ(strip(" \n "), "");
  EXPECT_EQ(strip(""), "");
}

TEST(Strip, KeepsBrokenSequencesForTheTokenizerToRefuse) {
  EXPECT_EQ(strip("\xE3\x80"), "\xE3\x80");
  EXPECT_EQ(strip("a\x80\x80\x80\x80 "), "a\x80\x80\x80\x80");
}

TEST(Lower, MapsEachCharacterAndKeepsBrokenBytes) {
  EXPECT_EQ(lower("ABC \xC3\x84\xCE\xA9 1"), "abc \xC3\xA4\xCF\x89 1");
  EXPECT_EQ(lower("A\xFF"
                  "B\xE3\x80"),
            "a\xFF"
            "b\xE3\x80");
}

}  // namespace
}  // namespace embedforge
