#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
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

void run_similarity(const SimilarityFlags& flags) {
  for (const std::string& text : flags.texts) {
    if (find_invalid_utf8(text) != std::string::npos) throw_bad_input("a text is not UTF-8");
  }
  const Matrix vectors = load_model(flags.model).encode(flags.texts);
  nlohmann::ordered_json scores = nlohmann::ordered_json::array();
  for (size_t i = 1; i < vectors.rows; ++i) {
    double cosine = 0;
    for (size_t j = 0; j < vectors.columns; ++j) {
      cosine += static_cast<double>(vectors.row(0)[j]) * static_cast<double>(vectors.row(i)[j]);
    }
    scores.push_back({{"score", cosine}, {"text", flags.texts[i]}});
    if (!flags.json) print(fmt::format("{:7.4f}  {}\n", cosine, flags.texts[i]));
  }
  if (flags.json) print(scores.dump(2) + "\n");
}

}  // namespace

void add_similarity(CLI::App& app) {
  const auto flags = std::make_shared<SimilarityFlags>();
  CLI::App* command =
      app.add_subcommand("similarity", "Print the cosine of the first text to each of the others");
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
