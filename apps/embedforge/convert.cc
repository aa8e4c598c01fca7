#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands.h"
#include "embedforge/model.h"
#include "model_flags.h"
#include "output.h"
#include "verify_model.h"

namespace embedforge::app {
namespace {

struct ConvertFlags {
  std::string model;
  std::string out;
  bool verify = false;
  ConvertOptions options;
};

void run_convert(const ConvertFlags& flags) {
  if (flags.verify) check_can_verify(flags.model);
  const ConvertResult result = convert(flags.model, flags.out, flags.options);
  print(fmt::format("checkpoint {:>10}\n", size_text(result.checkpoint_bytes)));
  for (const WrittenFile& file : result.files) {
    print(fmt::format("{:>21}  {}\n", size_text(file.bytes), file.path.string()));
  }
  if (flags.verify) verify_model(flags.model, flags.out);
}

}  // namespace

void add_convert(CLI::App& app) {
  const auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command =
      app.add_subcommand("convert", "Make an ONNX model folder from a Hugging Face checkpoint");
  command->add_option("MODEL", flags->model, "hub id, or a folder with config.json and weights")
      ->type_name("")
      ->required();
  command->add_option("-o,--output", flags->out, "folder to write")->required();
  command->add_option("--opset", flags->options.opset, "17 to 20")->capture_default_str();
  command->add_flag(
      "--with-pooling", flags->options.with_pooling,
      "add the output sentence_embedding, pooled and normalized as modules.json says");
  flags->options.warn = warn;
  command->add_flag("--strict", flags->options.strict,
                    "a key of the model's files that isn't known is an error, not a warning");
  command->add_flag(
      "--verify", flags->verify,
      "run the written file and the checkpoint on a few texts and print the largest difference");
  command->footer(
      "Example:\n  embedforge convert sentence-transformers/all-MiniLM-L6-v2 -o minilm --verify");
  command->callback([flags] { run_convert(*flags); });
}

}  // namespace embedforge::app
