#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "embedforge/error.h"
#include "model_flags.h"
#include "output.h"
#include "pipeline/text_source.h"
#include "pipeline/vector_sink.h"

namespace embedforge::app {
namespace {

struct EncodeFlags {
  ModelFlags model;
  EncodeOptions options;
  std::vector<std::string> texts;
  std::string input, field;
  std::string output = "-";
  std::string precision = "float32";
  bool no_normalize = false;
  bool progress = false;
};

/// int8 and uint8 need the ranges of all vectors, so that they are kept until the end; everything
/// else goes out as it comes.
class Output {
 public:
  Output(const std::string& path, VectorType type, size_t dimension)
      : type_(type), sink_(open_sink(path, type, columns(dimension), print)) {}

  void write(std::span<const std::string> texts, Matrix vectors) {
    if (type_ != VectorType::kInt8 && type_ != VectorType::kUint8) {
      sink_->write(texts, typed_vectors(std::move(vectors), type_, nullptr));
    } else {
      texts_.insert(texts_.end(), texts.begin(), texts.end());
      kept_.values.insert(kept_.values.end(), vectors.values.begin(), vectors.values.end());
      kept_.columns = vectors.columns;
      kept_.rows += vectors.rows;
    }
  }
  void finish() {
    if (kept_.rows > 0) sink_->write(texts_, typed_vectors(std::move(kept_), type_, nullptr));
    sink_->finish();
  }

 private:
  size_t columns(size_t dimension) const {
    return type_ == VectorType::kFloat32 ? dimension : vector_bytes(type_, dimension);
  }
  VectorType type_;
  std::unique_ptr<VectorSink> sink_;
  std::vector<std::string> texts_;
  Matrix kept_;
};

void run_encode(const EncodeFlags& flags) {
  TextSource source(flags.texts, flags.input, {.field = flags.field});
  const Embedder model = load_model(flags.model);
  const size_t dimension = model.info().dimension;  // 0: a server tells with its first vectors
  EncodeOptions options = flags.options;
  options.normalize = !flags.no_normalize;
  if (dimension > 0 && options.dimensions > dimension) {
    throw_usage("--dimensions " + std::to_string(options.dimensions) +
                " is more than the model's " + std::to_string(dimension));
  }
  Output output(flags.output, vector_type_of(flags.precision),
                options.dimensions > 0 ? options.dimensions : dimension);
  Progress progress("encoded", source.count(), flags.progress);
  for (auto block = source.next(); !block.empty(); block = source.next()) {
    // Slices keep the progress bar moving; what they are does not change a vector.
    const size_t slice = std::max<size_t>(options.batch_size, 256);
    for (size_t at = 0; at < block.size(); at += slice) {
      const std::span<const std::string> texts =
          std::span<const std::string>(block).subspan(at, std::min(slice, block.size() - at));
      output.write(texts, model.encode(texts, options));
      progress.advance(texts.size());
    }
  }
  output.finish();
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
  command->add_option("--field", flags->field,
                      "of the records, where --input is .jsonl, .csv or .tsv");
  command
      ->add_option("--output", flags->output,
                   "FILE.npy, FILE.jsonl, FILE.raw, or - for JSON lines on stdout")
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
