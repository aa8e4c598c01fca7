// Rerankers' shared shape, Cohere, Ollama, Weaviate; the table of routes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "serve/fake_catalog.h"
#include "serve/json_body.h"

namespace embedforge::serve {
namespace {

using testing::HasSubstr;

Json provider_error(const Catalog& catalog, const std::string& path, const std::string& body,
                    int status) {
  const Response response = failed(catalog, path, body);
  EXPECT_EQ(response.status, status) << path << " " << body << " " << response.body;
  return Json::parse(response.body);
}

TEST(Rerank, GoesByTheKey) {
  const FakeCatalog catalog;
  for (const char* path : {"/rerank", "/reranking", "/v1/rerank", "/v1/reranking", "/v2/rerank"}) {
    const Asked asked = ask(catalog, path, R"({"query":"q","documents":["a",{"text":"b"}],
        "top_n":1,"return_documents":true,"model":"/models/ms-marco/"})");
    ASSERT_EQ(asked.score().inputs.size(), 2U);
    EXPECT_EQ(asked.score().inputs[1].second, "b");
    EXPECT_FALSE(asked.score().raw);
    const Json answer = Json::parse(asked.write(scored({{0.25}, {0.75}})));
    const Json expected =
        Json::parse(R"([{"index":1,"relevance_score":0.75,"document":{"text":"b"}}])");
    EXPECT_EQ(answer["results"], expected);
    EXPECT_EQ(answer["data"],
              Json::parse(R"([{"index":1,"relevance_score":0.75,"document":"b"}])"));
    EXPECT_EQ(answer["object"], "rerank");
    EXPECT_EQ(answer["id"], "request-1");
    EXPECT_EQ(answer["usage"]["total_tokens"], 6);
    EXPECT_EQ(answer["meta"]["billed_units"]["search_units"], 1);
    const Asked flat = ask(catalog, path, R"({"query":"q","texts":["a"]})");
    EXPECT_EQ(flat.write(scored({{0.5}})), R"([{"index":0,"score":0.5}])");
  }
}

TEST(Rerank, TakesVoyagesAndVllmsFields) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/rerank", R"({"query":"q","documents":["a","b","c"],"top_k":2,
      "truncation":false,"truncate_prompt_tokens":-1,"max_tokens_per_doc":4096})");
  EXPECT_EQ(asked.score().truncation.allowed, false);
  EXPECT_EQ(Json::parse(asked.write(scored({{1}, {2}, {3}})))["data"].size(), 2U);
  const Json error = provider_error(
      catalog, "/v2/rerank", R"({"query":"q","documents":["a"],"max_tokens_per_doc":10})", 422);
  EXPECT_EQ(error["message"], error["detail"]);
  EXPECT_EQ(error["message"], error["error"]);
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("max_tokens_per_doc"));
  provider_error(catalog, "/rerank", R"({"query":"q"})", 422);
  provider_error(catalog, "/rerank", R"({"query":"q","documents":[]})", 400);
  provider_error(catalog, "/rerank", R"({"query":"","documents":["a"]})", 400);
  provider_error(catalog, "/rerank", R"({"query":"q","documents":[{"title":"a"}]})", 422);
  provider_error(catalog, "/rerank", R"({"query":"q","documents":["a"],"rank_fields":["title"]})",
                 422);
}

TEST(Cohere, EmbedsInSeveralForms) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/v2/embed", R"({"model":"small","texts":["a"],
      "input_type":"search_query","truncate":"START","max_tokens":9,"output_dimension":2,
      "embedding_types":["float","ubinary","base64","int8"]})");
  EXPECT_EQ(asked.embed().type, InputType::kQuery);
  EXPECT_EQ(asked.embed().truncation.side, TruncationSide::kLeft);
  EXPECT_EQ(asked.embed().truncation.max_tokens, 9U);
  EXPECT_EQ(asked.embed().dimensions, 2U);
  const Json answer = Json::parse(asked.write(embedded({{1, -2.5}})));
  EXPECT_EQ(answer["embeddings"],
            Json::parse(R"({"float":[[1,-2.5]],"ubinary":[[128]],"base64":["AACAPwAAIMA="],
                            "int8":[[127,-127]]})"));
  EXPECT_EQ(answer["texts"], Json::parse(R"(["a"])"));
  EXPECT_EQ(answer["meta"]["billed_units"]["input_tokens"], 3);
  EXPECT_GT(answer["meta"]["scale"], 0);
  const Asked plain = ask(catalog, "/v2/embed",
                          R"({"inputs":[{"content":[{"type":"text","text":"a"}]}],
                              "truncate":"NONE"})");
  EXPECT_EQ(plain.embed().truncation.allowed, false);
  EXPECT_EQ(Json::parse(plain.write(embedded({{1}})))["embeddings"],
            Json::parse(R"({"float":[[1]]})"));
  EXPECT_EQ(ask(catalog, "/v2/embed", R"({"texts":["a"]})").embed().truncation.side,
            TruncationSide::kRight);
}

TEST(Cohere, RefusesByName) {
  const FakeCatalog catalog;
  for (const auto& [body, status] : std::vector<std::pair<std::string, int>>{
           {R"({})", 422},
           {R"({"texts":[]})", 400},
           {R"({"texts":[""]})", 400},
           {R"({"texts":"a"})", 422},
           {R"({"images":["x"]})", 422},
           {R"({"texts":["a"],"inputs":[]})", 422},
           {R"({"inputs":[{"content":[{"type":"image_url"}]}]})", 422},
           {R"({"texts":["a"],"input_type":"image"})", 422},
           {R"({"texts":["a"],"truncate":"MIDDLE"})", 422},
           {R"({"texts":["a"],"embedding_types":["int4"]})", 422},
           {R"({"texts":["a"],"output_dimension":999})", 422}}) {
    EXPECT_TRUE(provider_error(catalog, "/v2/embed", body, status)["message"].is_string());
  }
}

TEST(Ollama, Embeds) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/api/embed", R"({"model":"small:latest","input":["a","b"],
      "truncate":false,"options":{"num_ctx":100},"keep_alive":"5m","dimensions":2})");
  EXPECT_EQ(asked.embed().truncation.allowed, false);
  EXPECT_EQ(asked.embed().truncation.max_tokens, 100U);
  EXPECT_EQ(asked.embed().dimensions, 2U);
  EXPECT_EQ(asked.write(embedded({{1}, {2}})),
            R"({"model":"small:latest","embeddings":[[1],[2]],"total_duration":500000000,)"
            R"("load_duration":0,"prompt_eval_count":6})");
  const Asked wide =
      ask(catalog, "/api/embed", R"({"input":"a","options":{"num_ctx":8192},"dimensions":0})");
  EXPECT_EQ(wide.embed().truncation.max_tokens, 0U);
  EXPECT_EQ(wide.embed().truncation.allowed, true);
  for (const char* input : {"\"\"", "[]", "null"}) {
    const std::string body = std::string(R"({"model":"small","input":)") + input + "}";
    EXPECT_EQ(Json::parse(ask(catalog, "/api/embed", body).body())["embeddings"], Json::array());
  }
  for (const char* input : {"3", "[3]", "{}", "[[1,2]]"}) {
    const std::string body = std::string(R"({"input":)") + input + "}";
    EXPECT_THAT(provider_error(catalog, "/api/embed", body, 400)["error"].get<std::string>(),
                HasSubstr("invalid input type"));
  }
  EXPECT_EQ(provider_error(catalog, "/api/embed", R"({"model":"x","input":"a"})", 404)["error"],
            "model 'x' not found");
  provider_error(catalog, "/api/embed", R"({"input":"a","truncate":3})", 400);
}

TEST(Ollama, TakesAnyContentType) {
  const FakeCatalog catalog;
  Request request = json_request(R"({"input":"a"})", "/api/embed");
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
  EXPECT_NO_THROW(find_route("POST", "/api/embed")->read(request, catalog));
}

TEST(Ollama, OldRouteDoesNotNormalize) {
  const FakeCatalog catalog;
  const Asked asked = ask(catalog, "/api/embeddings", R"({"model":"small","prompt":"a"})");
  EXPECT_FALSE(asked.embed().normalize);
  EXPECT_EQ(asked.write(embedded({{1, 2}})), R"({"embedding":[1,2]})");
  EXPECT_EQ(ask(catalog, "/api/embeddings", R"({"model":"small"})").body(), R"({"embedding":[]})");
}

TEST(Ollama, TellsOfModels) {
  FakeCatalog catalog;
  const Json tags = Json::parse(get(catalog, "/api/tags").body())["models"];
  ASSERT_EQ(tags.size(), 3U);
  EXPECT_EQ(tags[0]["model"], "small:latest");
  EXPECT_EQ(tags[1]["name"], "ms-marco:latest");
  EXPECT_EQ(tags[0]["modified_at"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(tags[0]["digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(tags[0]["details"]["parameter_size"], "22.7M");
  EXPECT_EQ(tags[0]["details"]["quantization_level"], "F32");
  EXPECT_EQ(tags[0]["capabilities"], Json::parse(R"(["embedding"])"));
  const Json show = Json::parse(ask(catalog, "/api/show", R"({"model":"small"})").body());
  EXPECT_EQ(show["model_info"]["bert.embedding_length"], 4);
  EXPECT_EQ(Json::parse(get(catalog, "/api/ps").body())["models"].size(), 1U);
  EXPECT_TRUE(Json::parse(get(catalog, "/api/version").body())["version"].is_string());
  provider_error(catalog, "/api/show", "{}", 400);
}

TEST(Weaviate, FourRoutes) {
  const FakeCatalog catalog;
  for (const char* path : {"/.well-known/live", "/.well-known/ready"}) {
    EXPECT_EQ(std::get<Response>(get(catalog, path).exchange.ask).status, 204);
  }
  EXPECT_EQ(Json::parse(get(catalog, "/meta").body())["model_path"],
            "sentence-transformers/all-MiniLM-L6-v2");
  for (const char* path : {"/vectors", "/vectors/"}) {
    const Asked asked = ask(catalog, path, R"({"text":"a","config":{
        "pooling_strategy":"masked_mean","task_type":"query","dimensions":2}})");
    EXPECT_EQ(asked.embed().type, InputType::kQuery);
    EXPECT_EQ(asked.embed().dimensions, 2U);
    EXPECT_EQ(asked.write(embedded({{1, 2}})), R"({"text":"a","vector":[1,2],"dim":2})");
  }
  EXPECT_TRUE(provider_error(catalog, "/vectors", R"({"text":3})", 422)["error"].is_string());
  provider_error(catalog, "/vectors", R"({"text":""})", 400);
  provider_error(catalog, "/vectors", R"({"text":"a","config":{"pooling_strategy":"cls"}})", 422);
  provider_error(catalog, "/vectors", R"({"text":"a","config":3})", 422);
}

TEST(Routes, AreFoundByMethodAndPath) {
  EXPECT_EQ(find_route("GET", "/embed"), nullptr);
  EXPECT_EQ(find_route("POST", "/embed/"), nullptr);
  EXPECT_NE(find_route("HEAD", "/info"), nullptr);
  EXPECT_NE(find_route("GET", "/v1/models/a/b"), nullptr);
  EXPECT_EQ(find_route("GET", "/v1/models/"), nullptr);
  EXPECT_EQ(allowed_methods("/embed"), "POST");
  EXPECT_EQ(allowed_methods("/info"), "GET, HEAD");
  EXPECT_EQ(allowed_methods("/nothing"), "");
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Route& route : routes()) {
    EXPECT_TRUE(seen.emplace(route.method, route.path).second) << route.path;
  }
}

TEST(Routes, RefuseBodiesOfEveryWrongKind) {
  const FakeCatalog catalog;
  for (const Route& route : routes()) {
    if (route.method != "POST") continue;
    for (const char* body :
         {"", "[]", "3", "null", "{\"input\":\"\xFF\"}", "{\"inputs\":{}}", "{\"inputs\":[{}]}",
          "{\"text\":[]}", "{\"texts\":{}}", "{\"query\":[],\"texts\":3}", "{\"instances\":3}",
          "{\"model\":[]}", "{\"ids\":\"a\"}", "{\"prompt\":3}", "{\"input\":3,\"model\":7}"}) {
      try {
        route.read(json_request(body, std::string(route.path)), catalog);
      } catch (const Failure& failure) {
        const Response response = route.fail(failure);
        EXPECT_GE(response.status, 400) << route.path << " " << body;
        EXPECT_LT(response.status, 500) << route.path << " " << body;
        EXPECT_TRUE(Json::accept(response.body)) << response.body;
      }
    }
  }
}

}  // namespace
}  // namespace embedforge::serve
