// What is asked of ONNX Runtime, seen by a stand-in for it that writes everything down.
#include "backends/ort_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "embedforge/error.h"
#include "temporary_folder.h"

namespace embedforge::ort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kCuda = "CUDAExecutionProvider";
constexpr const char* kTensorRt = "TensorrtExecutionProvider";
constexpr const char* kCpu = "CPUExecutionProvider";

class OrtSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("FAKE_ORT_LOG", (folder_.path() / "log").c_str(), 1);
    setenv("FAKE_ORT_PROVIDERS",
           "TensorrtExecutionProvider CUDAExecutionProvider CPUExecutionProvider", 1);
    unsetenv("FAKE_ORT_FAIL");
    unsetenv("ONNXRUNTIME_LIB");
  }
  Session open(const OnnxRuntimeOptions& options, const char* file = "model.onnx") {
    return {load_library(FAKE_ORT), file, options, 3,
            [this](const std::string& message) { warnings_.push_back(message); }};
  }
  std::vector<std::string> log() const {
    std::ifstream file(folder_.path() / "log");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      if (line != "release") lines.push_back(line);
    }
    return lines;
  }

  TemporaryFolder folder_;
  std::vector<std::string> warnings_;
};

TEST_F(OrtSessionTest, PassesTheSessionsOptions) {
  OnnxRuntimeOptions options;
  options.level = "extended";
  options.inter_op_threads = 2;
  options.memory_pattern = false;
  options.memory_arena = false;
  const Session session = open(options);
  EXPECT_THAT(log(), ElementsAre("level 2", "intra 3", "mode 1", "inter 2", "no pattern",
                                 "no arena", "session model.onnx"));
  EXPECT_THAT(session.providers(), ElementsAre(kCpu));
  EXPECT_THAT(session.inputs(), ElementsAre("input_ids", "attention_mask", "token_type_ids"));
  EXPECT_THAT(session.outputs(), ElementsAre("last_hidden_state", "pooler_output"));
  EXPECT_FALSE(session.pooled());
  EXPECT_EQ(session.width(), 4U);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(OrtSessionTest, KnowsTheLevels) {
  for (const auto& [name, number] :
       {std::pair{"none", "level 0"}, {"basic", "level 1"}, {"all", "level 99"}}) {
    OnnxRuntimeOptions options;
    options.level = name;
    open(options);
    EXPECT_THAT(log(), testing::Contains(number));
  }
  OnnxRuntimeOptions options;
  options.level = "most";
  EXPECT_THROW(open(options), Error);
}

TEST_F(OrtSessionTest, PassesTheOptionsOfCuda) {
  OnnxRuntimeOptions options;
  options.device = Device::kCuda;
  options.device_id = 1;
  options.gpu_mem_limit = uint64_t{2} << 30U;
  options.arena_extend_strategy = "kSameAsRequested";
  options.cudnn_conv_algo_search = "EXHAUSTIVE";
  EXPECT_THAT(open(options).providers(), ElementsAre(kCuda, kCpu));
  EXPECT_THAT(log(),
              testing::Contains(
                  "append CUDAExecutionProvider device_id=1 gpu_mem_limit=2147483648 "
                  "arena_extend_strategy=kSameAsRequested cudnn_conv_algo_search=EXHAUSTIVE"));
}

TEST_F(OrtSessionTest, PassesTheOptionsOfTensorRtBeforeCuda) {
  OnnxRuntimeOptions options;
  options.device = Device::kTensorRt;
  options.trt_max_workspace_size = uint64_t{2} << 30U;
  options.trt_fp16 = true;
  options.trt_engine_cache = "/cache";
  EXPECT_THAT(open(options).providers(), ElementsAre(kTensorRt, kCuda, kCpu));
  EXPECT_THAT(log(),
              testing::IsSupersetOf({"append TensorrtExecutionProvider device_id=0 "
                                     "trt_max_workspace_size=2147483648 trt_fp16_enable=1 "
                                     "trt_engine_cache_enable=1 trt_engine_cache_path=/cache",
                                     "append CUDAExecutionProvider device_id=0"}));
}

TEST_F(OrtSessionTest, SaysWhatItGoesOnWithout) {
  OnnxRuntimeOptions options;
  options.device = Device::kTensorRt;
  setenv("FAKE_ORT_PROVIDERS", "CUDAExecutionProvider CPUExecutionProvider", 1);
  EXPECT_THAT(open(options).providers(), ElementsAre(kCuda, kCpu));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("TensorrtExecutionProvider is not in")));

  warnings_.clear();
  setenv("FAKE_ORT_FAIL", kCuda, 1);
  EXPECT_THAT(open(options).providers(), ElementsAre(kCpu));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(kTensorRt), HasSubstr("libcudart.so.13")));

  warnings_.clear();
  setenv("FAKE_ORT_FAIL", "session", 1);
  EXPECT_THAT(open(options).providers(), ElementsAre(kCpu));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(kTensorRt), HasSubstr("no device")));

  warnings_.clear();
  unsetenv("FAKE_ORT_FAIL");
  options.cudnn_conv_algo_search = "BAD";
  EXPECT_THAT(open(options).providers(), ElementsAre(kCpu));
  EXPECT_THAT(warnings_.back(), HasSubstr("unknown value BAD"));
}

TEST_F(OrtSessionTest, ADamagedFileIsAnError) {
  try {
    open({}, "damaged.onnx");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_THAT(error.what(), HasSubstr("damaged.onnx: ONNX Runtime: Protobuf"));
  }
}

TEST_F(OrtSessionTest, RunsPaddedBatches) {
  const Session session = open({});
  const Output output = session.run({2, 2, {7, 8, 9, 0}, {1, 1, 1, 0}});
  EXPECT_THAT(output.dims, ElementsAre(2, 2, 4));
  EXPECT_THAT(output.values, ElementsAre(7, 1, 0, 0, 8, 1, 0, 1, 9, 1, 0, 0, 0, 0, 0, 1));
  EXPECT_THAT(log(), testing::Contains("run last_hidden_state"));
}

TEST_F(OrtSessionTest, SaysWhereNoLibraryIs) {
  const auto message = [](const std::string& wanted) -> std::string {
    try {
      load_library(wanted);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotSupported);
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message("/nowhere/libonnxruntime.so"), HasSubstr("/nowhere/libonnxruntime.so"));
  EXPECT_THAT(message(folder_.path()), HasSubstr("holds no libonnxruntime.so"));
  std::ofstream(folder_.path() / "libonnxruntime.so.1") << "no library";
  EXPECT_THAT(message(folder_.path()), HasSubstr("can't be loaded"));
  setenv("ONNXRUNTIME_LIB", "/elsewhere/libonnxruntime.so", 1);
  EXPECT_THAT(message(FAKE_ORT), HasSubstr("/elsewhere/")) << "the environment comes first";
  unsetenv("ONNXRUNTIME_LIB");
}

}  // namespace
}  // namespace embedforge::ort
