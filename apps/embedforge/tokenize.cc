#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "config/model_config.h"
#include "hub/hub.h"
#include "model_flags.h"
#include "output.h"
#include "pipeline/text_source.h"
#include "tokenize/tokenizer.h"

namespace embedforge::app {
namespace {

struct TokenizeFlags {
  std::string model;
  std::vector<std::string> texts;
  std::string input, field;
  TokenizeOptions options;
  bool no_special = false;
  bool strict = false;
};

void run_tokenize(const TokenizeFlags& flags) {
  TextSource source(flags.texts, flags.input, {.field = flags.field});
  const ModelConfig config = read_model_config(
      resolve_model(flags.model, PullWhat::kSettings).folder, {warn, flags.strict});
  const Tokenizer tokenizer = Tokenizer::load(config.transformer, config.lower_case);
  TokenizeOptions options = flags.options;
  options.add_special_tokens = !flags.no_special;
  for (auto block = source.next(); !block.empty(); block = source.next()) {
    for (const std::string& text : block) {
      const Encoding encoding = tokenizer.encode(text, options);
      const nlohmann::ordered_json line = {{"text", text},
                                           {"ids", encoding.ids},
                                           {"tokens", encoding.tokens},
                                           {"offsets", encoding.offsets}};
      print(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    }
  }
}

}  // namespace

void add_tokenize(CLI::App& app) {
  const auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command = app.add_subcommand(
      "tokenize", "Print token ids, tokens and offsets (in characters), one JSON object a line");
  command->add_option("MODEL", flags->model, "hub id in the cache, or a folder")
      ->type_name("")
      ->required();
  command
      ->add_option("TEXT", flags->texts, "texts; without any, lines of --input or standard input")
      ->type_name("");
  command->add_option("--input", flags->input,
                      "a file with a text a line, or - for standard input");
  command->add_option("--field", flags->field,
                      "of the records, where --input is .jsonl, .csv or .tsv");
  command->add_option("--max-length", flags->options.max_length,
                      "cut to this many tokens (default: not cut)");
  command->add_flag("--no-special-tokens", flags->no_special, "without [CLS], [SEP] and the like");
  command->add_flag("--strict", flags->strict,
                    "a key of the model's files that isn't known is an error, not a warning");
  command->footer("Example:\n  embedforge tokenize minilm \"unaffable tokenizers\"");
  command->callback([flags] { run_tokenize(*flags); });
}

}  // namespace embedforge::app
