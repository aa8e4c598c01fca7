#include "convert/bert.h"

#include <algorithm>

#include "convert/reference.h"
#include "embedforge/model.h"
#include "graph/read_onnx.h"
#include "graph/verify.h"
#include "support/expect_error.h"
#include "support/tiny_bert.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

using testing::HasSubstr;

TEST(BertTest, BuildsAValidGraphForEveryOpset) {
  const BertConfig config = tiny_config();
  const TensorMap weights = bert_weights(config, tiny_weights(config));
  for (int opset = 17; opset <= 20; ++opset) {
    const Graph graph = build_bert(config, weights, opset);
    EXPECT_NO_THROW(verify(graph, "test"));
    EXPECT_EQ(graph.opsets.at(""), opset);
    ASSERT_EQ(graph.inputs.size(), 3U);
    EXPECT_EQ(graph.outputs.at(0).name, "last_hidden_state");
  }
}

TEST(BertTest, NeedsNoTransposeOfWeights) {
  const BertConfig config = tiny_config();
  const Graph graph = build_bert(config, tiny_weights(config), 17);
  const auto transposes =
      std::count_if(graph.nodes.begin(), graph.nodes.end(),
                    [](const Node& node) { return node.op_type == "Transpose"; });
  EXPECT_EQ(transposes, 4 * config.layers);  // q, k, v and the context of each layer
  EXPECT_EQ(graph.initializers.at("encoder.layer.0.intermediate.dense.weight").dims,
            (std::vector<int64_t>{config.hidden_size, config.intermediate_size}));
}

TEST(BertTest, TakesEveryUsualPrefixAndOldNormNames) {
  const BertConfig config = tiny_config();
  for (const char* prefix : {"", "bert.", "model."}) {
    TensorMap renamed;
    for (const auto& [name, tensor] : tiny_weights(config)) {
      std::string target = prefix + name;
      if (const size_t at = target.find("LayerNorm.weight"); at != std::string::npos) {
        target.replace(at, std::string::npos, "LayerNorm.gamma");
      }
      renamed[target] = tensor;
    }
    renamed["pooler.dense.weight"] = Tensor::from_floats({1}, {1});
    EXPECT_EQ(bert_weights(config, renamed).size(), tiny_weights(config).size()) << prefix;
  }
}

TEST(BertTest, NamesMissingAndMisshapenTensors) {
  const BertConfig config = tiny_config();
  TensorMap weights = tiny_weights(config);
  weights.erase("encoder.layer.1.output.dense.bias");
  EXPECT_THAT(error_of(ErrorCode::kBadInput, [&] { bert_weights(config, weights); }),
              HasSubstr("\"encoder.layer.1.output.dense.bias\""));
  weights = tiny_weights(config);
  weights["encoder.layer.1.output.dense.bias"] = Tensor::from_floats({3}, {1, 2, 3});
  EXPECT_THAT(error_of(ErrorCode::kBadInput, [&] { bert_weights(config, weights); }),
              testing::AllOf(HasSubstr("encoder.layer.1.output.dense.bias"), HasSubstr("[32]"),
                             HasSubstr("[3]")));
  EXPECT_THAT(error_of(ErrorCode::kBadInput, [&] { bert_weights(config, {}); }),
              HasSubstr("word_embeddings"));
}

class ConvertTest : public testing::Test {
 protected:
  void SetUp() override { write_tiny_model(source_); }
  std::string failure(ErrorCode code, const ConvertOptions& options = {}) const {
    return error_of(code, [&] { convert(source_.string(), out_, options); });
  }

  TemporaryFolder folder_;
  std::filesystem::path source_ = folder_.path() / "source";
  std::filesystem::path out_ = folder_.path() / "out";
};

TEST_F(ConvertTest, WritesAModelFolder) {
  const ConvertResult result = convert(source_.string(), out_, {.with_pooling = true});
  const Graph graph = read_onnx(result.model);
  EXPECT_EQ(graph.outputs.size(), 2U);
  EXPECT_EQ(graph.outputs.at(1).name, "sentence_embedding");
  for (const char* name :
       {"config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"}) {
    EXPECT_TRUE(std::filesystem::exists(out_ / name)) << name;
  }
  uint64_t listed = 0;
  for (const WrittenFile& file : result.files) {
    listed += file.bytes;
    EXPECT_EQ(std::filesystem::file_size(file.path), file.bytes);
  }
  EXPECT_GT(listed, result.checkpoint_bytes);
}

TEST_F(ConvertTest, EveryPoolingModeMakesAValidGraph) {
  for (const char* mode : {"cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens",
                           "weightedmean_tokens", "lasttoken"}) {
    write_bytes(source_ / "1_Pooling/config.json",
                std::string(R"({"pooling_mode_)") + mode + R"(": true})");
    EXPECT_NO_THROW(convert(source_.string(), out_, {.opset = 18, .with_pooling = true})) << mode;
  }
}

TEST_F(ConvertTest, SaysWhatIsWrongWithAFolder) {
  EXPECT_THAT(failure(ErrorCode::kUsage, {.opset = 11}), HasSubstr("17 to 20"));
  std::filesystem::remove(source_ / "tokenizer.json");
  EXPECT_THAT(failure(ErrorCode::kBadInput), HasSubstr("tokenizer.json"));
  write_bytes(source_ / "tokenizer.json", "{}");
  std::filesystem::remove(source_ / "model.safetensors");
  EXPECT_THAT(failure(ErrorCode::kBadInput), HasSubstr("no weights"));
  write_bytes(source_ / "config.json", R"({"model_type": "mamba"})");
  EXPECT_THAT(failure(ErrorCode::kNotSupported), HasSubstr("mamba"));
  std::filesystem::remove(source_ / "config.json");
  EXPECT_THAT(failure(ErrorCode::kBadInput), HasSubstr("config.json"));
  EXPECT_FALSE(std::filesystem::exists(out_ / "onnx/model.onnx"));
}

TEST(ReferenceTest, RefusesIdsBeyondTheTables) {
  const BertConfig config = tiny_config();
  const TensorMap weights = tiny_weights(config);
  const std::vector<int32_t> unknown = {1, 50};
  const std::vector<int32_t> too_long(17, 1);
  error_of(ErrorCode::kBadInput, [&] { bert_reference(config, weights, unknown); });
  error_of(ErrorCode::kBadInput, [&] { bert_reference(config, weights, too_long); });
  const std::vector<int32_t> ids = {1, 2, 3};
  EXPECT_EQ(bert_reference(config, weights, ids).size(), 3U * 32U);
}

}  // namespace
}  // namespace embedforge
