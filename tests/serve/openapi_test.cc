// The OpenAPI document says what routes there are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "serve/fake_catalog.h"
#include "serve/json_body.h"
#include "serve/pages.h"

namespace embedforge::serve {
namespace {

using testing::HasSubstr;

void find_references(const Json& value, std::set<std::string>& found) {
  if (value.is_object() && value.contains("$ref")) found.insert(value["$ref"]);
  for (const Json& part : value) {
    if (part.is_structured()) find_references(part, found);
  }
}

TEST(OpenApi, HasThePathsAndMethodsOfTheRoutes) {
  const Json document = Json::parse(openapi_json());
  std::set<std::string> documented;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      if (operation["tags"][0] == "Server") continue;  // what no dialect answers
      std::string name = method;
      std::transform(name.begin(), name.end(), name.begin(), ::toupper);
      documented.insert(name + " " + path);
      EXPECT_EQ(operation.contains("requestBody"), name == "POST") << path;
      for (const auto& [status, response] : operation["responses"].items()) {
        if (!status.starts_with('4')) continue;
        EXPECT_TRUE(response["$ref"].get<std::string>().ends_with(status)) << path;
      }
    }
  }
  std::set<std::string> routed;
  for (const Route& route : routes()) {
    routed.insert(std::string(route.method) + " " + std::string(route.path));
  }
  EXPECT_EQ(documented, routed);
}

TEST(OpenApi, ReferencesWhatIsThere) {
  const Json document = Json::parse(openapi_json());
  std::set<std::string> references;
  find_references(document, references);
  for (const std::string& reference : references) {
    EXPECT_TRUE(document.contains(Json::json_pointer(reference.substr(1)))) << reference;
  }
  for (const char* kind : {"schemas", "responses"}) {
    for (const auto& [name, part] : document["components"][kind].items()) {
      EXPECT_TRUE(references.contains(std::string("#/components/") + kind + "/" + name)) << name;
    }
  }
}

TEST(OpenApi, NamesTheFieldsThatAreTaken) {
  const Json schemas = Json::parse(openapi_json())["components"]["schemas"];
  const FakeCatalog catalog;
  // A field of a wrong type is refused by the name that the document has for it.
  const auto check = [&](const std::string& path, const std::string& schema, Json body) {
    for (const auto& [field, type] : schemas[schema]["properties"].items()) {
      if (!type.contains("type") && !type.contains("enum") && !type.contains("anyOf")) continue;
      Json wrong = body;
      wrong[field] = Json::parse(R"([{"a":[1.5]}])");
      EXPECT_THAT(failed(catalog, path, wrong.dump()).body, HasSubstr(field)) << path;
    }
  };
  check("/embed", "TeiEmbed", {{"inputs", "a"}});
  check("/embed_all", "TeiEmbedAll", {{"inputs", "a"}});
  check("/similarity", "TeiSimilarity",
        {{"inputs", {{"source_sentence", "a"}, {"sentences", {"b"}}}}});
  check("/rerank", "TeiRerank", {{"query", "a"}, {"texts", {"b"}}});
  check("/predict", "TeiPredict", {{"inputs", "a"}});
  check("/tokenize", "TeiTokenize", {{"inputs", "a"}});
  check("/decode", "TeiDecode", {{"ids", {1}}});
  check("/v1/embeddings", "OpenAiEmbeddings", {{"input", "a"}});
  check("/v1/rerank", "RerankDocuments", {{"query", "a"}, {"documents", {"b"}}});
  check("/v2/embed", "CohereEmbed", {{"texts", {"a"}}});
  check("/api/embed", "OllamaEmbed", {{"input", "a"}});
  check("/api/embeddings", "OllamaEmbeddings", {{"prompt", "a"}});
  check("/vectors", "WeaviateVectors", {{"text", "a"}});
}

TEST(DocsPage, ShowsEveryRouteWithoutScripts) {
  const std::string page(docs_page());
  for (const Route& route : routes()) {
    EXPECT_THAT(page, HasSubstr("<code>" + std::string(route.path) + "</code>"));
  }
  for (const char* outside : {"<script", "<style", "<link", "src=", "://"}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
}

}  // namespace
}  // namespace embedforge::serve
