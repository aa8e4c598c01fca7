#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.h"
#include "config/model_config.h"
#include "convert/architectures.h"
#include "embedforge/error.h"
#include "embedforge/hub.h"
#include "output.h"

namespace embedforge::app {
namespace {

using Json = nlohmann::ordered_json;

struct Advice {
  const char* wanted;
  const char* model;
  const char* figures;  // parameters, dimensions, tokens
};

/// What the models' own pages say of them.
constexpr Advice kAdvice[] = {
    {"smallest and fastest, English", "sentence-transformers/all-MiniLM-L6-v2", "23 M, 384, 256"},
    {"small, better at search, English", "BAAI/bge-small-en-v1.5", "33 M, 384, 512"},
    {"good all-round, English", "BAAI/bge-base-en-v1.5", "109 M, 768, 512"},
    {"best of BERT's kind, English", "BAAI/bge-large-en-v1.5", "335 M, 1024, 512"},
    {"long texts, shorter vectors at will", "nomic-ai/nomic-embed-text-v1.5", "137 M, 768, 8192"},
    {"long texts, newest encoder", "Alibaba-NLP/gte-modernbert-base", "149 M, 768, 8192"},
    {"many languages, small", "intfloat/multilingual-e5-small", "118 M, 384, 512"},
    {"many languages, long texts", "BAAI/bge-m3", "568 M, 1024, 8192"},
    {"many languages, compact", "google/embeddinggemma-300m", "308 M, 768, 2048"},
    {"many languages, instructions", "Qwen/Qwen3-Embedding-0.6B", "596 M, 1024, 32768"},
    {"ordering search results", "BAAI/bge-reranker-base", "278 M, scores, 512"},
};

int64_t vector_width(const ModelConfig& config) {
  int64_t width = config.hidden_size * static_cast<int64_t>(config.pooling.size());
  for (const HeadModule& module : config.head) {
    if (module.kind == HeadModule::Kind::kDense) width = module.out_features;
  }
  return width;
}

Json describe(const CachedModel& model) {
  Json out = {{"id", model.id},
              {"revision", model.revision},
              {"bytes", model.bytes},
              {"onnx", model.has_onnx},
              {"weights", model.has_weights},
              {"folder", model.snapshot.string()}};
  try {
    const ModelConfig config = read_model_config(model.snapshot);
    out["architecture"] = config.architecture;
    out["dimensions"] = vector_width(config);
    out["max_length"] = config.max_length;
    out["pooling"] = pooling_name(config.pooling.front());
  } catch (const Error& error) {
    out["problem"] = error.what();
  }
  return out;
}

void print_tables(const Json& all) {
  print("Architectures that convert takes (model_type of config.json):\n");
  for (const Json& each : all["architectures"]) {
    print(fmt::format("  {:<12}  {}\n", each["model_type"].get<std::string>(),
                      each["models"].get<std::string>()));
  }
  print("\nWhat to choose (parameters, dimensions, tokens, as the models' pages say):\n");
  for (const Json& each : all["advice"]) {
    print(fmt::format("  {:<36}  {:<40}  {}\n", each["wanted"].get<std::string>(),
                      each["model"].get<std::string>(), each["figures"].get<std::string>()));
  }
  print("\nIn the cache:\n");
  if (all["cached"].empty()) print("  nothing yet; embedforge pull ID brings a model\n");
  for (const Json& each : all["cached"]) {
    const std::string what =
        each.contains("problem")
            ? each["problem"].get<std::string>()
            : fmt::format("{}, {} dimensions, {} tokens, {} pooling",
                          each["architecture"].get<std::string>(),
                          each["dimensions"].get<int64_t>(), each["max_length"].get<int64_t>(),
                          each["pooling"].get<std::string>());
    print(fmt::format("  {:<44}  {:>9}  {}{}{}\n", each["id"].get<std::string>(),
                      size_text(each["bytes"].get<uint64_t>()), what,
                      each["onnx"].get<bool>() ? ", onnx" : "",
                      each["weights"].get<bool>() ? ", weights" : ""));
  }
}

void run_models(bool json) {
  Json all;
  for (const Architecture& each : architectures()) {
    all["architectures"].push_back({{"model_type", each.model_type}, {"models", each.models}});
  }
  for (const Advice& each : kAdvice) {
    all["advice"].push_back(
        {{"wanted", each.wanted}, {"model", each.model}, {"figures", each.figures}});
  }
  all["cached"] = Json::array();
  for (const CachedModel& model : cached_models()) all["cached"].push_back(describe(model));
  if (json) {
    print(all.dump(2) + "\n");
  } else {
    print_tables(all);
  }
}

}  // namespace

void add_models(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand(
      "models", "List the supported architectures, what to choose, and the models in the cache");
  command->add_flag("--json", *json, "for machines");
  command->footer("Example:\n  embedforge models --json");
  command->callback([json] { run_models(*json); });
}

}  // namespace embedforge::app
