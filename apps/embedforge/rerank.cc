#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/reranker.h"
#include "model_flags.h"
#include "output.h"
#include "pipeline/text_source.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge::app {
namespace {

struct RerankFlags {
  ModelFlags model;
  std::string query;
  std::vector<std::string> texts;
  std::string input;
  bool raw = false;
  bool json = false;
};

void run_rerank(const RerankFlags& flags) {
  if (find_invalid_utf8(flags.query) != std::string::npos)
    throw_bad_input("the query is not UTF-8");
  TextSource source(flags.texts, flags.input);
  const Reranker reranker = Reranker::load(flags.model.model, options_of(flags.model));
  std::vector<std::string> texts;
  std::vector<float> scores;
  for (auto block = source.next(); !block.empty(); block = source.next()) {
    const std::vector<float> some = reranker.score(flags.query, block, flags.raw);
    scores.insert(scores.end(), some.begin(), some.end());
    texts.insert(texts.end(), block.begin(), block.end());
  }
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  for (const size_t i : order) {
    if (flags.json) {
      const nlohmann::ordered_json line = {{"index", i}, {"score", scores[i]}, {"text", texts[i]}};
      print(line.dump() + "\n");
    } else {
      print(fmt::format("{:8.4f}  {}\n", scores[i], texts[i]));
    }
  }
}

}  // namespace

void add_rerank(CLI::App& app) {
  const auto flags = std::make_shared<RerankFlags>();
  CLI::App* command =
      app.add_subcommand("rerank", "Order texts by how well they answer a query (cross-encoder)");
  add_model_flags(*command, flags->model);
  command->add_option("QUERY", flags->query, "the question")->type_name("")->required();
  command
      ->add_option("TEXT", flags->texts, "texts; without any, lines of --input or standard input")
      ->type_name("");
  command->add_option("--input", flags->input,
                      "a file with a text a line, or - for standard input");
  command->add_flag("--raw", flags->raw, "logits instead of scores between 0 and 1");
  command->add_flag("--json", flags->json, "a JSON object a line: index, score, text");
  command->footer(
      "Example:\n"
      "  embedforge rerank reranker \"What do pandas eat?\" \"Pandas eat bamboo.\" \"It rains.\"");
  command->callback([flags] { run_rerank(*flags); });
}

}  // namespace embedforge::app
