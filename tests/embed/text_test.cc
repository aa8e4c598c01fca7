#include "embed/text.h"

#include <gtest/gtest.h>

namespace embedforge {
namespace {

TEST(Text, BlankAsInPython) {
  for (const char* blank : {"", " \n ", "\xE3\x80\x80\xC2\xA0", "\x1F\x1C\xE2\x80\xA8"})
    EXPECT_TRUE(is_blank(blank));
  for (const char* text : {" a", "\xE2\x80\x8B", "\xF0\x9F\x98\x80", "\xE3\x80"})
    EXPECT_FALSE(is_blank(text));
}

}  // namespace
}  // namespace embedforge
