#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "embed_progress.h"
#include "embedforge/error.h"
#include "model_flags.h"
#include "pipeline/embed_job.h"
#include "pipeline/vector_format.h"

namespace embedforge::app {
namespace {

struct EmbedFlags {
  ModelFlags model;
  JobOptions job;
  std::vector<std::string> files;
  std::string precision = "float32";
  std::string progress = "auto";
  bool no_normalize = false;
  bool no_header = false;
};

std::atomic<int> stop_signal = 0;

/// The first signal ends the run in order, a second one at once: both leave what --resume needs.
void note_signal(int signal) {
  if (stop_signal != 0) _exit(128 + signal);
  stop_signal = signal;
}

/// What of the model's flags decides about the vectors, beyond what the loaded model tells.
std::string vector_flags(const ModelFlags& flags) {
  const EmbedderOptions& options = flags.options;
  return fmt::format("compute={} output={} tokenizer={} device={} base-url={}", flags.compute,
                     options.output_name, options.tokenizer, flags.device, options.server.base_url);
}

std::string quoted(const std::string& word) {
  const bool plain = word.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789_-./=:,@+") == std::string::npos;
  return plain && !word.empty() ? word : "'" + word + "'";
}

void report(const JobResult& result, const JobOptions& job) {
  const JobProgress& counts = result.counts;
  std::string line =
      fmt::format("{} {} rows", result.stopped ? "stopped after" : "wrote", counts.rows);
  if (counts.resumed_rows > 0)
    line += fmt::format(" ({} of them by earlier runs)", counts.resumed_rows);
  const uint64_t made = counts.rows - counts.resumed_rows;
  line += fmt::format(" in {:.1f} s, {:.0f}/s", counts.seconds,
                      static_cast<double>(made) / std::max(counts.seconds, 1e-9));
  if (counts.repeated > 0) line += fmt::format("; {} texts were repeated", counts.repeated);
  if (counts.rejected > 0 && !result.stopped) {
    line +=
        fmt::format("; {} records have no vector, see {}", counts.rejected, result.rejected_path);
  }
  if (result.stopped) {
    line += fmt::format("; the same command with --resume goes on ({}.partial and {}.journal)",
                        quoted(job.output), quoted(job.output));
  }
  std::fputs(("embedforge: " + line + "\n").c_str(), stderr);
}

void run_embed(EmbedFlags& flags) {
  if (flags.files.size() < 2)
    throw_usage("embed takes a model, one or more inputs and an output; see embedforge embed -h");
  JobOptions& job = flags.job;
  job.inputs.assign(flags.files.begin(), flags.files.end() - 1);
  job.output = flags.files.back();
  job.type = vector_type_of(flags.precision);
  job.encode.normalize = !flags.no_normalize;
  job.read.header = !flags.no_header;
  job.strict = flags.model.options.strict;
  job.model = flags.model.model;
  job.model_flags = vector_flags(flags.model);
  list_inputs(job.inputs, job.input_format);  // says what is wrong before the model is loaded
  output_format_of(job.output);
  const Embedder model = load_model(flags.model);
  EmbedProgress progress(flags.progress);
  job.progress = [&](const JobProgress& counts) { progress.show(counts); };
  job.stop = [] { return stop_signal != 0; };
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
  const JobResult result = run_embed_job(model, job);
  progress.finish(result);
  report(result, job);
  if (result.stopped) {
    std::fflush(nullptr);
    _exit(128 + stop_signal);
  }
}

void add_reading(CLI::App& command, JobOptions& job, bool& no_header) {
  command.add_option("--input-format", job.input_format,
                     "jsonl, csv, tsv or txt (default: as the files are called)");
  command.add_option("--field", job.read.fields.field, "that holds the text (default: text)");
  command.add_option("--id-field", job.read.fields.id_field,
                     "goes with each vector: into a .jsonl row, else into OUTPUT.rows.jsonl");
  command.add_option("--template", job.read.fields.text_template,
                     "the text of several fields, such as \"{title}: {body}\"");
  command.add_flag("--no-header", no_header, "csv and tsv: the columns are called 1, 2, ...");
  command.add_option("--max-line", job.read.max_line, "bytes; a longer record has no vector")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  command
      .add_option("--chunk-tokens", job.chunk_tokens,
                  "a row for each piece of so many tokens (default: a row a text, cut at its end)")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--overlap", job.overlap, "tokens that a piece shares with the one before it")
      ->check(CLI::Range(0, 1 << 20));
  command.get_option("--strict")
      ->description("end at the first record without a text, and at unknown keys of the model");
}

void add_writing(CLI::App& command, EmbedFlags& flags) {
  JobOptions& job = flags.job;
  command.add_option("--precision", flags.precision)
      ->check(CLI::IsMember({"float32", "int8", "uint8", "binary", "ubinary"}))
      ->capture_default_str();
  command.add_option("--ranges", job.ranges,
                     "of int8 and uint8: a .npy with the least and the greatest values");
  command
      .add_option("--dimensions", job.encode.dimensions, "cut to this many, then normalize again")
      ->check(CLI::Range(1, 1 << 20));
  command.add_flag("--no-normalize", flags.no_normalize, "leave the vectors' lengths as they are");
  command.add_option("--prompt-name", job.encode.prompt_name,
                     "a prompt of config_sentence_transformers.json");
  command.add_flag("--with-text", job.with_text, "put the text into the rows of a .jsonl");
  command.add_flag("--rows", job.write_rows, "write OUTPUT.rows.jsonl also without --id-field");
  command.add_flag("--resume", job.resume, "go on where a run was broken off, if one was");
  command.add_flag("--overwrite", job.overwrite,
                   "replace an output, and what a broken-off run left");
  command
      .add_option("--progress", flags.progress,
                  "auto (on a terminal), line, none, or json: an object a line on stderr")
      ->check(CLI::IsMember({"auto", "line", "none", "json"}))
      ->capture_default_str();
}

}  // namespace

void add_embed(CLI::App& app) {
  const auto flags = std::make_shared<EmbedFlags>();
  CLI::App* command = app.add_subcommand("embed", "Turn files of texts into a file of embeddings");
  add_model_flags(*command, flags->model);
  command
      ->add_option("FILES", flags->files,
                   "INPUT... OUTPUT: .jsonl, .csv, .tsv and .txt (also .gz, .zst), patterns or - "
                   "in; .npy, .jsonl or .raw out")
      ->type_name("")
      ->required();
  add_reading(*command, flags->job, flags->no_header);
  add_writing(*command, *flags);
  command->footer(
      "A run that is broken off, however, goes on with --resume; its output is the same to the "
      "byte.\nRecords without a text are listed in OUTPUT.rejected.jsonl.\n"
      "Examples:\n"
      "  embedforge embed minilm 'articles-*.jsonl.zst' vectors.npy --field body --id-field url\n"
      "  embedforge embed minilm books.csv pieces.jsonl --field text --chunk-tokens 200 --overlap "
      "20 --resume");
  command->callback([flags] { run_embed(*flags); });
}

}  // namespace embedforge::app
