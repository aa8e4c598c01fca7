#include "config/known_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/model_keys.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

using enum KnownKey::Use;
constexpr KnownKey kOwn[] = {{"depth"}, {"window", kOnly, "[1, 2]"}};
constexpr KnownKey kCommon[] = {{"author", kHarmless}, {"window", kHarmless}};

void check(const char* text, const Notices& notices = {}) {
  check_keys(JsonFile::parse(text, "model/config.json"), {kOwn, kCommon}, notices);
}

std::string refusal(const char* text, const Notices& notices = {}) {
  try {
    check(text, notices);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotSupported);
    return error.what();
  }
  return "none";
}

TEST(KnownKeys, LetsPassWhatIsObeyedOrHarmless) {
  EXPECT_EQ(refusal(R"({"depth": 3, "author": {"any": []}, "window": 2})"), "none");
  EXPECT_EQ(refusal(R"({"window": null})"), "none");
}

TEST(KnownKeys, RefusesASettingByNameAndTheFirstTableDecides) {
  EXPECT_EQ(refusal(R"({"window": 3})"), "model/config.json: window is 3; supported are 1, 2");
}

TEST(KnownKeys, TellsUnknownKeysOrRefusesThemWhenStrict) {
  std::vector<std::string> told;
  const auto warn = [&](const std::string& message) { told.push_back(message); };
  check(R"({"depth": 3, "dpeth": 4})", {warn, false});
  EXPECT_THAT(told, testing::ElementsAre(testing::HasSubstr("config.json: key \"dpeth\"")));
  EXPECT_THAT(refusal(R"({"dpeth": 4})", {warn, true}), testing::HasSubstr("dpeth"));
  EXPECT_EQ(told.size(), 1U);
}

TEST(KnownKeys, EachArchitectureHasItsOwnTable) {
  const auto file = [](const char* text) { return JsonFile::parse(text, "config.json"); };
  const Notices strict{.warn = {}, .strict = true};
  check_model_keys(file(R"({"model_type": "bert", "hidden_act": "gelu", "is_decoder": false})"),
                   strict);
  EXPECT_THROW(check_model_keys(file(R"({"model_type": "bert", "is_decoder": true})"), {}), Error);
  EXPECT_THROW(check_model_keys(file(R"({"model_type": "bert", "rms_norm_eps": 1})"), strict),
               Error);
  check_model_keys(file(R"({"model_type": "qwen3", "rms_norm_eps": 1})"), strict);
  tell_unknown_model_keys(file(R"({"model_type": "bert", "is_decoder": true})"), strict);
  check_model_keys(file(R"({"model_type": "of_another_program", "whatever": 1})"), strict);
}

TEST(KnownKeys, ModulesAreHeldToTheirVectorsNames) {
  const auto file = [](const char* text) { return JsonFile::parse(text, "config.json"); };
  EXPECT_THROW(check_module_keys(file(R"({"use_residual": true})"), "Dense", {}), Error);
  EXPECT_THROW(check_module_keys(file(R"({"module_input_name": "x"})"), "Normalize", {}), Error);
  EXPECT_THROW(check_transformer_keys(file(R"({"query_length": 5})"), false, {}), Error);
  check_transformer_keys(file(R"({"transformer_task": "sequence-classification"})"), true, {});
  EXPECT_THROW(
      check_transformer_keys(file(R"({"transformer_task": "sequence-classification"})"), false, {}),
      Error);
}

}  // namespace
}  // namespace embedforge
