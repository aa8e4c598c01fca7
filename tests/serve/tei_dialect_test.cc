// text-embeddings-inference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "serve/fake_catalog.h"
#include "serve/json_body.h"

namespace embedforge::serve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string text_of(const Input& input) { return std::get<std::string>(input); }

Json error_of(const Catalog& catalog, const std::string& path, const std::string& body,
              int status) {
  const Response response = failed(catalog, path, body);
  EXPECT_EQ(response.status, status) << path << " " << body << " " << response.body;
  return Json::parse(response.body);
}

TEST(Tei, EmbedTakesEveryShapeOfInputs) {
  const FakeCatalog catalog;
  const Asked one = ask(catalog, "/embed", R"({"inputs":"a"})");
  ASSERT_EQ(one.embed().inputs.size(), 1U);
  EXPECT_EQ(text_of(one.embed().inputs[0]), "a");
  EXPECT_TRUE(one.embed().normalize);
  EXPECT_FALSE(one.embed().truncation.allowed.has_value());
  EXPECT_FALSE(one.embed().truncation.side.has_value());
  const Asked ids = ask(catalog, "/embed", R"({"inputs":[101,7,102]})");
  EXPECT_EQ(ids.embed().inputs, (std::vector<Input>{std::vector<int32_t>{101, 7, 102}}));
  const Asked mixed = ask(catalog, "/embed", R"({"inputs":["a",[101,102]],"truncate":false,
      "truncation_direction":"left","normalize":false,"dimensions":2,"prompt_name":"query",
      "unknown":[1]})");
  EXPECT_EQ(mixed.embed().inputs.size(), 2U);
  EXPECT_EQ(mixed.embed().truncation.allowed, false);
  EXPECT_EQ(mixed.embed().truncation.side, TruncationSide::kLeft);
  EXPECT_FALSE(mixed.embed().normalize);
  EXPECT_EQ(mixed.embed().dimensions, 2U);
  EXPECT_EQ(mixed.embed().prompt_name, "query");
  EXPECT_EQ(mixed.write(embedded({{1, 0.5}, {-0.25, 0}})), "[[1,0.5],[-0.25,0]]");
}

TEST(Tei, ErrorsHaveItsWordsAndStatuses) {
  FakeCatalog catalog;
  catalog.set.max_client_batch_size = 2;
  for (const char* body :
       {R"({"inputs":""})", R"({"inputs":[]})", R"({"inputs":[[]]})", R"({"inputs":["a",""]})"}) {
    const Json error = error_of(catalog, "/embed", body, 400);
    EXPECT_EQ(error["error_type"], "Empty");
    EXPECT_EQ(error["error"], "Input validation error: `inputs` cannot be empty");
  }
  EXPECT_THAT(error_of(catalog, "/embed", R"({"inputs":["a","b","c"]})", 422)["error"],
              HasSubstr("batch size 3 > maximum allowed batch size 2"));
  for (const char* body :
       {R"({})", R"({"inputs":null})", R"({"inputs":3})", R"({"inputs":{"a":1}})",
        R"({"inputs":[true]})", R"({"inputs":[1.5]})", R"({"inputs":[-1]})",
        R"({"inputs":[1,"a"]})", R"({"inputs":[30522]})", R"({"inputs":[99999999999]})",
        R"({"inputs":"a","truncate":"yes"})", R"({"inputs":"a","truncation_direction":"Up"})",
        R"({"inputs":"a","dimensions":0})", R"({"inputs":"a","dimensions":5})",
        R"({"inputs":"a","prompt_name":3})"}) {
    EXPECT_EQ(error_of(catalog, "/embed", body, 422)["error_type"], "Validation") << body;
  }
  EXPECT_EQ(error_of(catalog, "/embed", R"({"inputs":"a","model":"nobody"})", 404)["error"],
            "model 'nobody' not found");
  EXPECT_EQ(error_of(catalog, "/embed_sparse", R"({"inputs":"a"})", 424)["error_type"], "Backend");
  EXPECT_EQ(error_of(catalog, "/embed", "{", 400)["error_type"], "Validation");
}

TEST(Tei, OverloadHasItsWord) {
  const Response response =
      find_route("POST", "/embed")->fail({FailureKind::kOverloaded, "Model is overloaded"});
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, R"({"error":"Model is overloaded","error_type":"Overloaded"})");
}

TEST(Tei, EmbedAllGivesATableOfTokensForEachText) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/embed_all", R"({"inputs":["a","b"]})");
  EXPECT_TRUE(asked.embed().each_token);
  EXPECT_FALSE(asked.embed().normalize);
  Answer answer = embedded({{1, 2}, {3, 4}, {5, 6}});
  std::get<Embedded>(answer.content).offsets = {0, 2, 3};
  EXPECT_EQ(asked.write(answer), "[[[1,2],[3,4]],[[5,6]]]");
}

TEST(Tei, SimilarityIsCosine) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/similarity", R"({"inputs":{"source_sentence":"s",
      "sentences":["a","b"]},"parameters":{"truncate":true,"prompt_name":"p"}})");
  EXPECT_EQ(asked.embed().inputs.size(), 3U);
  EXPECT_EQ(asked.embed().truncation.allowed, true);
  EXPECT_EQ(asked.embed().prompt_name, "p");
  EXPECT_EQ(asked.write(embedded({{1, 0}, {0.5, 0.5}, {0, 1}})), "[0.5,0]");
  error_of(catalog, "/similarity", R"({"inputs":{"source_sentence":"s","sentences":[]}})", 400);
  error_of(catalog, "/similarity", R"({"inputs":{"sentences":["a"]}})", 422);
  error_of(catalog, "/similarity", R"({"inputs":"a"})", 422);
}

TEST(Tei, RerankIsFlatAndBestFirst) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/rerank", R"({"query":"q","texts":["a","b","c"],"top_n":2,
      "raw_scores":true,"return_text":true})");
  EXPECT_TRUE(asked.score().raw);
  EXPECT_TRUE(asked.score().reranks);
  ASSERT_EQ(asked.score().inputs.size(), 3U);
  EXPECT_EQ(asked.score().inputs[1].first, "q");
  EXPECT_EQ(asked.score().inputs[1].second, "b");
  EXPECT_EQ(asked.write(scored({{0.25}, {0.5}, {0.125}})),
            R"([{"index":1,"text":"b","score":0.5},{"index":0,"text":"a","score":0.25}])");
  EXPECT_EQ(ask(catalog, "/rerank", R"({"query":"q","texts":["a"]})").write(scored({{0.5}})),
            R"([{"index":0,"score":0.5}])");
  error_of(catalog, "/rerank", R"({"query":"q","texts":[]})", 400);
  error_of(catalog, "/rerank", R"({"texts":["a"]})", 422);
  EXPECT_THROW(asked.write(scored({{std::numeric_limits<float>::quiet_NaN()}})), Failure);
}

TEST(Tei, PredictTellsPairsFromBatches) {
  const FakeCatalog catalog;
  const Asked one = ask(catalog, "/predict", R"({"inputs":"a"})");
  EXPECT_FALSE(one.score().reranks);
  EXPECT_EQ(one.write(scored({{0.25, 0.75}})),
            R"([{"score":0.75,"label":"anger"},{"score":0.25,"label":"joy"}])");
  const Asked pair = ask(catalog, "/predict", R"({"inputs":["a","b"]})");
  ASSERT_EQ(pair.score().inputs.size(), 1U);
  EXPECT_EQ(pair.score().inputs[0].second, "b");
  const Asked batch = ask(catalog, "/predict", R"({"inputs":[["a"],["b","c"]],"raw_scores":true})");
  ASSERT_EQ(batch.score().inputs.size(), 2U);
  EXPECT_FALSE(batch.score().inputs[0].second.has_value());
  EXPECT_EQ(batch.score().inputs[1].second, "c");
  EXPECT_EQ(batch.write(scored({{1, 0}, {0, 2}})),
            R"([[{"score":1,"label":"joy"},{"score":0,"label":"anger"}],)"
            R"([{"score":2,"label":"anger"},{"score":0,"label":"joy"}]])");
  error_of(catalog, "/predict", R"({"inputs":["a","b","c"]})", 422);
  error_of(catalog, "/predict", R"({"inputs":[]})", 400);
  error_of(catalog, "/predict", R"({"inputs":[[]]})", 422);
}

TEST(Tei, TokenizeShowsTextsOfTokens) {
  FakeCatalog catalog;
  catalog.set.max_client_batch_size = 1;  // doesn't count here
  const Asked asked =
      ask(catalog, "/tokenize", R"({"inputs":["w\u00f6 a","b"],"add_special_tokens":true})");
  EXPECT_THAT(std::get<TokenizeAsk>(asked.exchange.ask).texts, ElementsAre("w\xC3\xB6 a", "b"));
  Encoding encoding;
  encoding.ids = {101, 5, 6};
  encoding.tokens = {"[CLS]", "wo", "a"};
  encoding.offsets = {{0, 0}, {0, 2}, {3, 4}};
  encoding.special = {1, 0, 0};
  EXPECT_EQ(asked.write({Tokenized{{encoding}, {"w\xC3\xB6 a"}}, {}, ""}),
            "[[{\"id\":101,\"text\":\"[CLS]\",\"special\":true,\"start\":null,\"stop\":null},"
            "{\"id\":5,\"text\":\"w\xC3\xB6\",\"special\":false,\"start\":0,\"stop\":2},"
            "{\"id\":6,\"text\":\"a\",\"special\":false,\"start\":3,\"stop\":4}]]");
}

TEST(Tei, DecodeTakesOneListOrSeveral) {
  const FakeCatalog catalog;
  const Asked one = ask(catalog, "/decode", R"({"ids":[1,2],"skip_special_tokens":false})");
  EXPECT_EQ(std::get<DecodeAsk>(one.exchange.ask).ids, (std::vector<std::vector<int32_t>>{{1, 2}}));
  EXPECT_FALSE(std::get<DecodeAsk>(one.exchange.ask).skip_special_tokens);
  const Asked two = ask(catalog, "/decode", R"({"ids":[[1],[2]]})");
  EXPECT_EQ(two.write({Decoded{{"a", "\"b"}}, {}, ""}), R"(["a","\"b"])");
  error_of(catalog, "/decode", R"({"ids":[]})", 400);
  error_of(catalog, "/decode", R"({"ids":["a"]})", 422);
}

TEST(Tei, RootGoesByTheBodyAndTheModel) {
  FakeCatalog catalog;
  EXPECT_NO_THROW(ask(catalog, "/", R"({"inputs":"a","encoding_format":null})").embed());
  EXPECT_EQ(ask(catalog, "/", R"({"inputs":{"source_sentence":"s","sentences":["a"]}})")
                .embed()
                .inputs.size(),
            2U);
  EXPECT_TRUE(ask(catalog, "/invocations", R"({"query":"q","texts":["a"]})").score().reranks);
  EXPECT_FALSE(ask(catalog, "/", R"({"inputs":"a","model":"emotions"})").score().reranks);
  catalog.all.erase(catalog.all.begin());
  EXPECT_THAT(error_of(catalog, "/", R"({"inputs":"a"})", 422)["error"], HasSubstr("reranker"));
}

TEST(Tei, VertexAnswersEachInstance) {
  const FakeCatalog catalog;
  const Asked asked =
      ask(catalog, "/vertex", R"({"instances":[{"inputs":"a"},{"inputs":["b","c"]}]})");
  EXPECT_EQ(asked.embed().inputs.size(), 3U);
  EXPECT_TRUE(asked.embed().fail_alone);
  Answer answer = embedded({{1}, {2}, {3}});
  EXPECT_EQ(asked.write(answer), R"({"predictions":[[[1]],[[2],[3]]]})");
  std::get<Embedded>(answer.content).failed = {"", "", "too long"};
  EXPECT_EQ(asked.write(answer),
            R"({"predictions":[[[1]],{"error":"too long","error_type":"Validation"}]})");
  const Asked ranked = ask(catalog, "/vertex", R"({"instances":[{"query":"q","texts":["a","b"]},
      {"query":"r","texts":["c"]}]})");
  EXPECT_EQ(ranked.write(scored({{1}, {2}, {3}})),
            R"({"predictions":[[{"index":1,"score":2},{"index":0,"score":1}],)"
            R"([{"index":0,"score":3}]]})");
  const Asked holed = ask(catalog, "/vertex", R"({"instances":[{"inputs":""},{"inputs":"a"}]})");
  EXPECT_EQ(holed.embed().inputs.size(), 1U);
  EXPECT_THAT(holed.write(embedded({{1}})), HasSubstr(R"("error_type":"Empty"},[[1]]]})"));
  error_of(catalog, "/vertex", R"({"instances":[{"inputs":""}]})", 400);
  error_of(catalog, "/vertex", R"({"instances":[]})", 400);
  error_of(catalog, "/vertex", R"({"instances":["a"]})", 422);
  error_of(catalog, "/vertex", R"({"instances":[{"inputs":"a"},{"inputs":"a","normalize":false}]})",
           422);
  error_of(catalog, "/vertex", R"({"instances":[{"inputs":"a"},{"query":"q","texts":["a"]}]})",
           422);
}

TEST(Tei, InfoHasWhatClientsRead) {
  FakeCatalog catalog;
  const Json info = Json::parse(get(catalog, "/info").body());
  EXPECT_EQ(info["model_id"], "sentence-transformers/all-MiniLM-L6-v2");
  EXPECT_EQ(info["model_type"], Json::parse(R"({"embedding":{"pooling":"mean"}})"));
  EXPECT_EQ(info["max_input_length"], 256);
  EXPECT_EQ(info["max_client_batch_size"], 2048);
  EXPECT_TRUE(info["docker_label"].is_null());
  catalog.set.served_model_name = "public";
  EXPECT_EQ(Json::parse(get(catalog, "/info").body())["served_model_name"], "public");
  catalog.all.erase(catalog.all.begin(), catalog.all.begin() + 2);
  EXPECT_EQ(Json::parse(get(catalog, "/info").body())["model_type"],
            Json::parse(R"({"classifier":{"id2label":{"0":"joy","1":"anger"},
                            "label2id":{"joy":0,"anger":1}}})"));
}

}  // namespace
}  // namespace embedforge::serve
