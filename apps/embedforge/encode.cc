#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "commands.h"
#include "embedforge/error.h"
#include "model_flags.h"
#include "output.h"
#include "text_source.h"
#include "vector_sink.h"

namespace embedforge::app {
namespace {

struct EncodeFlags {
  ModelFlags model;
  EncodeOptions options;
  std::vector<std::string> texts;
  std::string input;
  std::string output = "-";
  std::string precision = "float32";
  bool no_normalize = false;
  bool progress = false;
};

void run_encode(const EncodeFlags& flags) {
  if (flags.precision != "float32") {
    throw_not_supported("--precision " + flags.precision +
                        " is not in this build; use --precision float32");
  }
  TextSource source(flags.texts, flags.input);
  const Embedder embedder = load_embedder(flags.model);
  EncodeOptions options = flags.options;
  options.normalize = !flags.no_normalize;
  const size_t full = embedder.dimension();
  if (options.dimensions > full) {
    throw_usage("--dimensions " + std::to_string(options.dimensions) +
                " is more than the model's " + std::to_string(full));
  }
  const auto sink = open_sink(flags.output, options.dimensions > 0 ? options.dimensions : full);
  Progress progress("encoded", source.count(), flags.progress);
  for (auto block = source.next(); !block.empty(); block = source.next()) {
    // Slices keep the progress bar moving; what they are does not change a vector.
    const size_t slice = std::max<size_t>(options.batch_size, 256);
    for (size_t at = 0; at < block.size(); at += slice) {
      const std::span<const std::string> texts =
          std::span<const std::string>(block).subspan(at, std::min(slice, block.size() - at));
      sink->write(texts, embedder.encode(texts, options));
      progress.advance(texts.size());
    }
  }
  sink->finish();
}

}  // namespace

void add_encode(CLI::App& app) {
  const auto flags = std::make_shared<EncodeFlags>();
  CLI::App* command = app.add_subcommand("encode", "Turn texts into embeddings");
  add_model_flags(*command, flags->model);
  command
      ->add_option("TEXT", flags->texts, "texts; without any, lines of --input or standard input")
      ->type_name("");
  command->add_option("--input", flags->input,
                      "a file with a text a line, or - for standard input");
  command
      ->add_option("--output", flags->output, "FILE.npy, FILE.jsonl, or - for JSON lines on stdout")
      ->capture_default_str();
  command->add_option("--batch-size", flags->options.batch_size, "texts taken up at once")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_flag("--no-normalize", flags->no_normalize,
                    "leave the vectors' lengths as they are");
  command->add_option("--prompt-name", flags->options.prompt_name,
                      "a prompt of config_sentence_transformers.json");
  command
      ->add_option("--dimensions", flags->options.dimensions,
                   "cut to this many, then normalize again")
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--precision", flags->precision)
      ->check(CLI::IsMember({"float32", "int8", "uint8", "binary", "ubinary"}))
      ->capture_default_str();
  command->add_flag("--progress", flags->progress, "show progress even when stderr is no terminal");
  command->footer(
      "Examples:\n"
      "  embedforge encode minilm \"A man is playing a guitar\"\n"
      "  embedforge encode sentence-transformers/all-MiniLM-L6-v2 --input texts.txt --output "
      "vectors.npy");
  command->callback([flags] { run_encode(*flags); });
}

}  // namespace embedforge::app
