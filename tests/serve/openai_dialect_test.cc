// OpenAI, with Jina's, Voyage's and vLLM's fields; token ids of other vocabularies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "embedforge/error.h"
#include "serve/fake_catalog.h"
#include "serve/json_body.h"
#include "serve/token_table.h"

namespace embedforge::serve {
namespace {

using testing::HasSubstr;

Json openai_error(const Catalog& catalog, const std::string& body, int status) {
  const Response response = failed(catalog, "/v1/embeddings", body);
  EXPECT_EQ(response.status, status) << body << " " << response.body;
  return Json::parse(response.body);
}

TEST(OpenAi, EmbeddingsAsFloatsAndBase64) {
  const FakeCatalog catalog;
  const Asked floats =
      ask(catalog, "/v1/embeddings", R"({"input":["a","b"],"model":"small","user":"u"})");
  EXPECT_EQ(floats.exchange.model, "small");
  EXPECT_TRUE(floats.embed().normalize);
  EXPECT_EQ(floats.write(embedded({{1, 0.5}, {0, -1}})),
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0.5]},)"
            R"({"object":"embedding","index":1,"embedding":[0,-1]}],)"
            R"("model":"sentence-transformers/all-MiniLM-L6-v2",)"
            R"("usage":{"prompt_tokens":6,"total_tokens":6}})");
  const Asked packed =
      ask(catalog, "/embeddings", R"({"input":"a","encoding_format":"base64","dimensions":2})");
  EXPECT_EQ(packed.embed().dimensions, 2U);
  EXPECT_THAT(packed.write(embedded({{1, -2.5}})), HasSubstr(R"("embedding":"AACAPwAAIMA=")"));
  EXPECT_THROW(packed.write(embedded({{std::nanf("")}})), Failure);
}

TEST(OpenAi, ErrorsAreNestedAndFlat) {
  const FakeCatalog catalog;
  const Json error = openai_error(catalog, R"({"input":3})", 422);
  EXPECT_EQ(error["error"]["param"], "input");
  EXPECT_EQ(error["error"]["type"], "invalid_request_error");
  EXPECT_EQ(error["error"]["message"], error["message"]);
  EXPECT_EQ(error["detail"], error["message"]);
  EXPECT_EQ(error["type"], "Validation");
  EXPECT_EQ(error["code"], 422);
  const Json missing = openai_error(catalog, R"({"input":"a","model":"gpt"})", 404);
  EXPECT_EQ(missing["error"]["code"], "model_not_found");
  const Json key = Json::parse(
      find_route("POST", "/v1/embeddings")->fail({FailureKind::kUnauthorized, "no key"}).body);
  EXPECT_EQ(key["error"]["code"], "invalid_api_key");
  openai_error(catalog, R"({"input":[]})", 400);
  openai_error(catalog, R"({"input":["a",""]})", 400);
  for (const char* body :
       {R"({})", R"({"input":[true]})", R"({"input":"a","dimensions":0})",
        R"({"input":"a","dimensions":5})", R"({"input":"a","encoding_format":"hex"})",
        R"({"input":"a","dimensions":2,"output_dimension":3})"}) {
    openai_error(catalog, body, 422);
  }
}

TEST(OpenAi, TakesJinasAndVoyagesFields) {
  FakeCatalog catalog;
  const auto embed = [&](const std::string& fields) {
    return ask(catalog, "/v1/embeddings", R"({"input":[{"text":"a"},"b"],)" + fields + "}").embed();
  };
  EXPECT_EQ(embed(R"("task":"retrieval.query")").type, InputType::kQuery);
  EXPECT_EQ(embed(R"("task":"text-matching")").type, InputType::kNone);
  EXPECT_EQ(embed(R"("input_type":"document")").type, InputType::kDocument);
  EXPECT_EQ(embed(R"("input_type":null)").type, InputType::kNone);
  EXPECT_EQ(embed(R"("output_dimension":2)").dimensions, 2U);
  EXPECT_EQ(embed(R"("truncation":false)").truncation.allowed, false);
  EXPECT_EQ(embed(R"("truncate":true)").truncation.allowed, true);
  EXPECT_EQ(embed(R"("truncate_prompt_tokens":7)").truncation.max_tokens, 7U);
  EXPECT_EQ(embed(R"("truncate_prompt_tokens":-1)").truncation.max_tokens, 0U);
  EXPECT_FALSE(embed(R"("normalized":false,"late_chunking":false)").normalize);
  catalog.all[0]->info.prompts = {{"classification", "Classify: "}};
  EXPECT_EQ(embed(R"("task":"classification")").prompt_name, "classification");
  for (const char* fields :
       {R"("late_chunking":true)", R"("return_multivector":true)", R"("task":"dance")",
        R"("add_special_tokens":false)", R"("output_dtype":"int4")",
        R"("normalized":false,"output_dtype":"int8")"}) {
    const std::string body = std::string(R"({"input":"a",)") + fields + "}";
    EXPECT_FALSE(openai_error(catalog, body, 422)["error"]["param"].is_null()) << body;
  }
  EXPECT_EQ(openai_error(catalog, R"({"input":[{"image":"x"}]})", 422)["error"]["param"],
            "input.image");
}

TEST(OpenAi, IntegersDependOnTheVectorAlone) {
  const FakeCatalog catalog;
  const auto write = [&](const std::string& fields, std::vector<std::vector<float>> rows) {
    return Json::parse(ask(catalog, "/v1/embeddings", R"({"input":["a","b"],)" + fields + "}")
                           .write(embedded(rows)));
  };
  // 64 dimensions: steps of 1/127.
  std::vector<float> row(64, 0.0F);
  row[0] = 1;
  row[1] = -1;
  row[2] = 0.5F / 127;
  row[3] = 3.0F / 127;
  const Json together = write(R"("output_dtype":"int8")", {row, std::vector<float>(64, 0.1F)});
  const Json alone = write(R"("output_dtype":"int8")", {row});
  EXPECT_EQ(together["data"][0]["embedding"], alone["data"][0]["embedding"]);
  EXPECT_EQ(alone["data"][0]["embedding"][0], 127);
  EXPECT_EQ(alone["data"][0]["embedding"][1], -127);
  EXPECT_EQ(alone["data"][0]["embedding"][2], 0);
  EXPECT_EQ(alone["data"][0]["embedding"][3], 3);
  EXPECT_FLOAT_EQ(alone["scale"].get<float>(), 1.0F / 127);
  const Json shifted = write(R"("embedding_type":"uint8")", {row});
  EXPECT_EQ(shifted["data"][0]["embedding"][0], 255);
  EXPECT_EQ(shifted["data"][0]["embedding"][1], 1);
  EXPECT_EQ(shifted["data"][0]["embedding"][5], 128);
}

TEST(OpenAi, BitsArePackedAsSentenceTransformersDoes) {
  const FakeCatalog catalog;
  const std::vector<float> row = {1, -1, 0, 0.5F, -0.5F, 2, -2, 0, 1};  // 10010100 1
  const auto write = [&](const std::string& fields) {
    return Json::parse(ask(catalog, "/v1/embeddings", R"({"input":"a",)" + fields + "}")
                           .write(embedded({row})))["data"][0]["embedding"];
  };
  EXPECT_EQ(write(R"("output_dtype":"ubinary")"), Json::parse("[148,128]"));
  EXPECT_EQ(write(R"("output_dtype":"binary")"), Json::parse("[20,0]"));
  EXPECT_EQ(write(R"("output_dtype":"ubinary","encoding_format":"base64")"), "lIA=");
}

TEST(OpenAi, TokenIdsOfOthersAreRefused) {
  FakeCatalog catalog;
  const std::string body = R"({"input":[[9906,1917],[1]]})";
  const Json error = openai_error(catalog, body, 400);
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("check_embedding_ctx_length=False"));
  openai_error(catalog, R"({"input":[9906,1917]})", 400);
  EXPECT_EQ(ask(catalog, "/v1/embeddings", R"({"input":[101,7,102]})").embed().inputs,
            (std::vector<Input>{std::vector<int32_t>{101, 7, 102}}));
  openai_error(catalog, R"({"input":[101,99999,102]})", 422);
  catalog.set.token_ids = TokenIds::kModel;
  EXPECT_EQ(ask(catalog, "/v1/embeddings", R"({"input":[7]})").embed().inputs,
            (std::vector<Input>{std::vector<int32_t>{7}}));
  catalog.set.token_ids = TokenIds::kReject;
  openai_error(catalog, R"({"input":[101,7,102]})", 400);
  catalog.set.token_ids = TokenIds::kAuto;
  catalog.all[0]->last_id = -1;
  openai_error(catalog, R"({"input":[101,7,102]})", 400);
}

TEST(OpenAi, TokenIdsOfOthersAreDecodedWithTheirTable) {
  FakeCatalog catalog;
  catalog.set.token_ids = TokenIds::kTable;
  catalog.set.token_table = std::make_shared<const TokenTable>(
      parse_token_table("SGVsbG8= 9906\nIHfDtnJsZA== 1917\nw7Y= 5\nw7YN 6\r\nww== 7\n", "table"));
  const auto inputs =
      ask(catalog, "/v1/embeddings", R"({"input":[[9906,1917],[7]]})").embed().inputs;
  EXPECT_EQ(inputs[0], Input("Hello w\xC3\xB6rld"));
  EXPECT_EQ(inputs[1], Input("\xEF\xBF\xBD"));  // half a character
  EXPECT_EQ(openai_error(catalog, R"({"input":[[8]]})", 422)["error"]["param"], "input");
}

TEST(TokenTable, RefusesOtherFiles) {
  for (const char* text :
       {"", "\n\n", "SGVsbG8=", "SGVsbG8= x", "SGVsbG8= -1", "SGVs*G8= 1", " 1", "A 1",
        "SGVsbG8= 1\nSGVsbG8= 1", "SGVsbG8= 99999999999", "SGVsbG8= 1 2"}) {
    EXPECT_THROW(parse_token_table(text, "table"), Error) << text;
  }
  EXPECT_THROW(parse_token_table(std::string(8000, 'A') + " 1", "table"), Error);
  EXPECT_THROW(read_token_table("/nonexistent/table"), Error);
}

TEST(OpenAi, ListsModelsAndTheirAliases) {
  const FakeCatalog catalog;
  const Json list = Json::parse(get(catalog, "/v1/models").body());
  ASSERT_EQ(list["data"].size(), 4U);
  EXPECT_EQ(list["data"][0]["id"], "sentence-transformers/all-MiniLM-L6-v2");
  EXPECT_EQ(list["data"][1]["id"], "small");
  EXPECT_EQ(list["data"][1]["root"], "sentence-transformers/all-MiniLM-L6-v2");
  const Json one =
      Json::parse(get(catalog, "/v1/models/sentence-transformers/all-MiniLM-L6-v2").body());
  EXPECT_EQ(one["object"], "model");
  EXPECT_THROW(get(catalog, "/v1/models/nobody"), Failure);
}

}  // namespace
}  // namespace embedforge::serve
