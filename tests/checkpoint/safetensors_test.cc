#include <cstring>

#include "checkpoint/checkpoint.h"
#include "support/expect_error.h"
#include "support/tiny_bert.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

using testing::HasSubstr;

class SafetensorsTest : public testing::Test {
 protected:
  std::string failure(const std::string& bytes, ErrorCode code = ErrorCode::kBadInput) const {
    write_bytes(path_, bytes);
    const std::string message = error_of(code, [&] { read_safetensors(path_); });
    EXPECT_THAT(message, HasSubstr("model.safetensors"));
    return message;
  }
  static std::string with_header(const std::string& header, const std::string& data,
                                 uint64_t claimed = 0) {
    const uint64_t size = claimed > 0 ? claimed : header.size();
    return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "model.safetensors";
};

TEST_F(SafetensorsTest, GivesBackWhatWasWritten) {
  const TensorMap written = tiny_weights(tiny_config());
  write_bytes(path_, safetensors_bytes(written));
  const TensorMap read = read_safetensors(path_);
  ASSERT_EQ(read.size(), written.size());
  for (const auto& [name, tensor] : written) {
    EXPECT_EQ(read.at(name).dims, tensor.dims) << name;
    EXPECT_EQ(std::memcmp(read.at(name).bytes.data(), tensor.bytes.data(), tensor.bytes.size()), 0);
  }
}

TEST_F(SafetensorsTest, TakesAHeaderOfAnyLength) {
  for (const char* pad : {"", " ", "  ", "   "}) {
    const std::string header =
        std::string(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})") + pad;
    const float values[2] = {1.5F, -2.0F};
    write_bytes(path_, with_header(header, {reinterpret_cast<const char*>(values), 8}));
    const TensorMap tensors = read_safetensors(path_);
    EXPECT_THAT(tensors.at("x").as<float>(), testing::ElementsAre(1.5F, -2.0F));
  }
}

TEST_F(SafetensorsTest, ReportsEveryTruncation) {
  const std::string whole = safetensors_bytes(tiny_weights(tiny_config()));
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, whole.size() - 1}) {
    failure(whole.substr(0, size));
  }
  EXPECT_THAT(failure(whole + "x"), HasSubstr("belong to none"));
}

TEST_F(SafetensorsTest, TrustsNoSizeOfTheHeader) {
  EXPECT_THAT(failure(with_header("{}", "", uint64_t{1} << 62U)), HasSubstr("claims"));
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return with_header(
        R"({"x":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
        "12345678");
  };
  EXPECT_THAT(failure(one("[2]", "[0,800]")), HasSubstr("leave the 8 bytes"));
  EXPECT_THAT(failure(one("[2]", "[8,0]")), HasSubstr("data_offsets"));
  EXPECT_THAT(failure(one("[3]", "[0,8]")), HasSubstr("needs 12 bytes"));
  EXPECT_THAT(failure(one("[4294967296,4294967296]", "[0,8]")), HasSubstr("too large"));
  EXPECT_THAT(failure(one("[-2]", "[0,8]")), HasSubstr("shape"));
  EXPECT_THAT(failure(one("[1]", "[4,8]")), HasSubstr("gaps"));
  EXPECT_THAT(failure(one("\"2\"", "[0,8]")), HasSubstr("\"x\""));
}

TEST_F(SafetensorsTest, RefusesOverlapsAndUnknownTypes) {
  EXPECT_THAT(failure(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                                      "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                                  "12345678")),
              HasSubstr("overlap"));
  EXPECT_THAT(failure(with_header(R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", "1"),
                      ErrorCode::kNotSupported),
              HasSubstr("F4"));
}

TEST_F(SafetensorsTest, ReadsShards) {
  const TensorMap all = tiny_weights(tiny_config());
  TensorMap first(all.begin(), std::next(all.begin(), 5));
  TensorMap second(std::next(all.begin(), 5), all.end());
  write_bytes(folder_.path() / "a.safetensors", safetensors_bytes(first));
  write_bytes(folder_.path() / "b.safetensors", safetensors_bytes(second));
  write_bytes(folder_.path() / "model.safetensors.index.json",
              R"({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}})");
  EXPECT_EQ(read_checkpoint(folder_.path()).tensors.size(), all.size());
  write_bytes(folder_.path() / "model.safetensors.index.json",
              R"({"weight_map": {"x": "../a.safetensors"}})");
  EXPECT_THAT(error_of(ErrorCode::kBadInput, [&] { read_checkpoint(folder_.path()); }),
              HasSubstr("must be a file name"));
}

}  // namespace
}  // namespace embedforge
