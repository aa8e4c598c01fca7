// Calls a function that must fail, and gives its message.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "embedforge/error.h"

namespace embedforge {

template <typename F>
std::string error_of(ErrorCode code, F function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "one line";
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace embedforge
