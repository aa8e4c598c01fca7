#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "commands.h"
#include "embedforge/error.h"
#include "model_flags.h"
#include "output.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge::app {
namespace {

struct SimilarityFlags {
  ModelFlags model;
  std::vector<std::string> texts;
  bool json = false;
};

/// As sentence-transformers' function of that name: of a cosine's vectors the length is 1, and
/// distances are negative.
double similarity(const std::string& name, std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i];
    const double y = b[i];
    sum += name == "euclidean" ? (x - y) * (x - y) : name == "manhattan" ? std::abs(x - y) : x * y;
  }
  if (name == "euclidean") return -std::sqrt(sum);
  return name == "manhattan" ? -sum : sum;
}

void run_similarity(const SimilarityFlags& flags) {
  for (const std::string& text : flags.texts) {
    if (find_invalid_utf8(text) != std::string::npos) throw_bad_input("a text is not UTF-8");
  }
  const Embedder model = load_model(flags.model);
  const EmbedderInfo info = model.info();
  const bool cosine = info.similarity == "cosine";
  const Matrix vectors = model.encode(flags.texts, {.normalize = cosine || info.normalizes});
  nlohmann::ordered_json scores = nlohmann::ordered_json::array();
  for (size_t i = 1; i < vectors.rows; ++i) {
    const double score = similarity(info.similarity, vectors.row(0), vectors.row(i));
    scores.push_back({{"score", score}, {"text", flags.texts[i]}});
    if (!flags.json) print(fmt::format("{:7.4f}  {}\n", score, flags.texts[i]));
  }
  if (flags.json) print(scores.dump(2) + "\n");
}

}  // namespace

void add_similarity(CLI::App& app) {
  const auto flags = std::make_shared<SimilarityFlags>();
  CLI::App* command = app.add_subcommand(
      "similarity",
      "Print the similarity of the first text to each of the others: the cosine, unless the "
      "model names another function");
  add_model_flags(*command, flags->model);
  command->add_option("TEXT", flags->texts, "TEXT_A TEXT_B...")
      ->type_name("")
      ->required()
      ->expected(2, 1 << 20);
  command->add_flag("--json", flags->json, "as a JSON array of score and text");
  command->footer(
      "Example:\n"
      "  embedforge similarity minilm \"A man plays a guitar\" \"Someone makes music\" \"It "
      "rains\"");
  command->callback([flags] { run_similarity(*flags); });
}

}  // namespace embedforge::app
