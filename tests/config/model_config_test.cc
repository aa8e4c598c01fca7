#include "config/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "embedforge/error.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

constexpr const char* kModules = R"([
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])";
constexpr const char* kConfig =
    R"({"model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512, "pad_token_id": 0})";

class ModelConfigTest : public testing::Test {
 protected:
  void write(const std::string& relative, const std::string& text) const {
    const std::filesystem::path path = folder_.path() / relative;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  ModelConfig read() const { return read_model_config(folder_.path()); }
  std::string failure(ErrorCode code) const {
    try {
      read();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "no error";
  }
  void write_sentence_model() const {
    write("modules.json", kModules);
    write("config.json", kConfig);
    write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  }

  TemporaryFolder folder_;
};

TEST_F(ModelConfigTest, ReadsASentenceTransformersFolder) {
  write_sentence_model();
  write("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": true})");
  write("config_sentence_transformers.json",
        R"({"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"})");
  const ModelConfig config = read();
  EXPECT_EQ(config.architecture, "bert");
  EXPECT_EQ(config.hidden_size, 384);
  EXPECT_EQ(config.max_position_embeddings, 512);
  EXPECT_EQ(config.max_length, 256);
  EXPECT_TRUE(config.lower_case);
  EXPECT_TRUE(config.normalize);
  EXPECT_TRUE(config.has_modules);
  EXPECT_THAT(config.pooling, testing::ElementsAre(Pooling::kMean));
  EXPECT_EQ(config.prompts.at("query"), "query: ");
  EXPECT_EQ(config.default_prompt_name, "query");
}

TEST_F(ModelConfigTest, GuessesMeanPoolingWithoutModules) {
  write("config.json", kConfig);
  const ModelConfig config = read();
  EXPECT_FALSE(config.has_modules);
  EXPECT_FALSE(config.normalize);
  EXPECT_THAT(config.pooling, testing::ElementsAre(Pooling::kMean));
  EXPECT_EQ(config.max_length, 512);
}

TEST_F(ModelConfigTest, LengthIsTheSmallerOfTokenizerAndModelUnlessSaid) {
  write("config.json", kConfig);
  write("tokenizer_config.json", R"({"model_max_length": 128})");
  EXPECT_EQ(read().max_length, 128);
  write("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_EQ(read().max_length, 512);
  write("sentence_bert_config.json", R"({"max_seq_length": null})");
  EXPECT_EQ(read().max_length, 512);
  write("sentence_bert_config.json", R"({"max_seq_length": 64})");
  EXPECT_EQ(read().max_length, 64);
}

TEST_F(ModelConfigTest, SeveralPoolingModesAreConcatenatedInOrder) {
  write_sentence_model();
  write(
      "1_Pooling/config.json",
      R"({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true, "include_prompt": false})");
  EXPECT_THAT(read().pooling, testing::ElementsAre(Pooling::kCls, Pooling::kMean));
  EXPECT_FALSE(read().include_prompt);
  write("1_Pooling/config.json", R"({"pooling_mode": "lasttoken"})");
  EXPECT_THAT(read().pooling, testing::ElementsAre(Pooling::kLast));
}

TEST_F(ModelConfigTest, FindsTheTransformerInItsOwnFolder) {
  write("modules.json",
        R"([{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
                            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  write("0_Transformer/config.json", kConfig);
  write("0_Transformer/sentence_bert_config.json", R"({"max_seq_length": 99})");
  write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  const ModelConfig config = read();
  EXPECT_EQ(config.transformer, folder_.path() / "0_Transformer");
  EXPECT_EQ(config.max_length, 99);
  EXPECT_FALSE(config.normalize);
}

TEST_F(ModelConfigTest, ListsTheModulesAfterThePooling) {
  write_sentence_model();
  write("modules.json",
        R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"path": "2_Dropout", "type": "sentence_transformers.models.Dropout"},
            {"path": "3_Dense", "type": "sentence_transformers.base.modules.dense.Dense"},
            {"path": "4_LayerNorm", "type": "sentence_transformers.models.LayerNorm"},
            {"path": "5_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  write("3_Dense/config.json", R"({"in_features": 8, "out_features": 4, "bias": false,
                                   "activation_function": "torch.nn.modules.activation.GELU"})");
  const ModelConfig config = read();
  ASSERT_EQ(config.head.size(), 2U);
  EXPECT_EQ(config.head[0].kind, HeadModule::Kind::kDense);
  EXPECT_EQ(config.head[0].folder, folder_.path() / "3_Dense");
  EXPECT_EQ(config.head[0].in_features, 8);
  EXPECT_EQ(config.head[0].out_features, 4);
  EXPECT_FALSE(config.head[0].bias);
  EXPECT_EQ(config.head[0].activation, "gelu");
  EXPECT_EQ(config.head[1].kind, HeadModule::Kind::kLayerNorm);
  EXPECT_TRUE(config.normalize);
}

TEST_F(ModelConfigTest, RefusesWhatItWouldGetWrong) {
  write_sentence_model();
  write("modules.json", R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
                            {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])");
  EXPECT_THAT(failure(ErrorCode::kNotSupported), testing::HasSubstr("module 1: type"));
  write("modules.json", R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
                            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                            {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])");
  EXPECT_THAT(failure(ErrorCode::kBadInput), testing::HasSubstr("2_Dense/config.json"));
  write("2_Dense/config.json",
        R"({"in_features": 8, "out_features": 4, "activation_function": "torch.nn.Softmax"})");
  EXPECT_THAT(failure(ErrorCode::kNotSupported), testing::HasSubstr("torch.nn.Softmax"));
  write("modules.json", R"([{"path": "", "type": "sentence_transformers.models.WordEmbeddings"}])");
  EXPECT_THAT(failure(ErrorCode::kNotSupported), testing::HasSubstr("WordEmbeddings"));
  write("modules.json",
        R"([{"path": "../x", "type": "sentence_transformers.models.Transformer"}])");
  EXPECT_THAT(failure(ErrorCode::kBadInput), testing::HasSubstr("leaves the model folder"));
}

TEST_F(ModelConfigTest, NamesFileAndFieldOfADamagedFile) {
  write_sentence_model();
  write("config.json", R"({"hidden_size": "384"})");
  EXPECT_THAT(failure(ErrorCode::kBadInput),
              testing::AllOf(testing::HasSubstr("config.json"), testing::HasSubstr("hidden_size")));
  write("config.json", R"({"hidden_size": 38)");
  EXPECT_THAT(failure(ErrorCode::kBadInput), testing::HasSubstr("not valid JSON at byte"));
  write("config.json", std::string(1000, '['));
  EXPECT_THAT(failure(ErrorCode::kBadInput), testing::HasSubstr("config.json"));
  write("config.json", kConfig);
  write("sentence_bert_config.json", R"({"max_seq_length": 0})");
  EXPECT_THAT(failure(ErrorCode::kBadInput), testing::HasSubstr("at least 1"));
}

}  // namespace
}  // namespace embedforge
