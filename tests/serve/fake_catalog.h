// A catalog of an embedding model, a cross-encoder and a classifier that nobody loads, and answers
// that nobody computed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serve/catalog.h"
#include "serve/exchange.h"
#include "serve/routes.h"

namespace embedforge::serve {

class FakeCatalog : public Catalog {
 public:
  FakeCatalog() {
    ModelEntry mini;
    mini.id = "sentence-transformers/all-MiniLM-L6-v2";
    mini.aliases = {"small", "*"};
    mini.info.dimension = 4;
    mini.info.max_length = 256;
    mini.info.pooling = "mean";
    mini.architecture = "bert";
    mini.compute = "float32";
    mini.bytes = 90'000'000;
    mini.parameters = 22'713'216;
    mini.modified = 1'700'000'000;
    mini.loaded = 1'700'000'100;
    mini.vocabulary = 30522;
    mini.first_id = 101;
    mini.last_id = 102;
    add(std::move(mini));
    ModelEntry cross;
    cross.id = "/models/ms-marco/";
    cross.kind = ModelKind::kReranker;
    cross.info.max_length = 512;
    cross.labels = {"LABEL_0"};
    add(std::move(cross));
    ModelEntry classifier;
    classifier.id = "emotions";
    classifier.kind = ModelKind::kClassifier;
    classifier.info.max_length = 512;
    classifier.labels = {"joy", "anger"};
    add(std::move(classifier));
  }

  void add(ModelEntry entry) { all.push_back(std::make_shared<ModelEntry>(std::move(entry))); }

  std::vector<std::shared_ptr<const ModelEntry>> models() const override {
    return {all.begin(), all.end()};
  }
  std::shared_ptr<const ModelEntry> find(std::string_view name, ModelKind kind) const override {
    for (const auto& entry : all) {
      if (name.empty() ? entry->kind == kind : (entry->id == name || has_alias(*entry, name))) {
        return entry;
      }
    }
    throw Failure(FailureKind::kNotFound, "model '" + std::string(name) + "' not found", "model");
  }
  const Settings& settings() const override { return set; }

  std::vector<std::shared_ptr<ModelEntry>> all;
  Settings set;

 private:
  static bool has_alias(const ModelEntry& entry, std::string_view name) {
    for (const std::string& alias : entry.aliases) {
      if (alias != "*" && (alias == name || alias + ":latest" == name)) return true;
    }
    return false;
  }
};

/// What the service makes of a request, with an answer instead of a model.
struct Asked {
  const Route* route = nullptr;
  Exchange exchange;

  const EmbedAsk& embed() const { return std::get<EmbedAsk>(exchange.ask); }
  const ScoreAsk& score() const { return std::get<ScoreAsk>(exchange.ask); }
  const std::string& body() const { return std::get<Response>(exchange.ask).body; }
  std::string write(Answer answer) const { return exchange.write(answer).body; }
};

inline Request json_request(std::string body, std::string path = "/") {
  return {.method = "POST",
          .path = std::move(path),
          .headers = {{"content-type", "application/json"}},
          .body = std::move(body),
          .id = "request-1"};
}

inline Asked ask(const Catalog& catalog, const std::string& path, const std::string& body) {
  const Route* route = find_route("POST", path);
  if (route == nullptr) throw std::logic_error("no route " + path);
  return {route, route->read(json_request(body, path), catalog)};
}

inline Asked get(const Catalog& catalog, const std::string& path) {
  const Route* route = find_route("GET", path);
  if (route == nullptr) throw std::logic_error("no route " + path);
  return {route, route->read({.method = "GET", .path = path}, catalog)};
}

/// The response to a request that fails, as the service makes it.
inline Response failed(const Catalog& catalog, const std::string& path, const std::string& body) {
  const Route* route = find_route("POST", path);
  try {
    route->read(json_request(body, path), catalog);
  } catch (const Failure& failure) {
    return route->fail(failure);
  }
  return {};
}

inline Answer embedded(std::vector<std::vector<float>> rows) {
  Embedded made;
  for (const auto& row : rows) {
    made.vectors.columns = row.size();
    made.vectors.values.insert(made.vectors.values.end(), row.begin(), row.end());
    made.tokens.push_back(3);
    made.truncated.push_back(false);
  }
  made.vectors.rows = rows.size();
  return {made, {.total = 0.5}, "sentence-transformers/all-MiniLM-L6-v2"};
}

inline Answer scored(std::vector<std::vector<float>> rows) {
  Answer answer = embedded(std::move(rows));
  auto& as = std::get<Embedded>(answer.content);
  answer.content = Scored{std::move(as.vectors), std::move(as.tokens)};
  return answer;
}

}  // namespace embedforge::serve
