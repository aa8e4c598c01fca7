#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "commands.h"
#include "embedforge/error.h"
#include "evaluate/similarity.h"
#include "evaluate/sts.h"
#include "model_flags.h"
#include "named_texts.h"
#include "output.h"
#include "quantize/default_texts.h"

namespace embedforge::app {
namespace {

using Json = nlohmann::ordered_json;
namespace ev = evaluation;

struct EvalFlags {
  ModelFlags model, against;
  std::string texts, sts, json;
  size_t batch_size = 32;
  std::optional<double> min_cosine, min_worst_cosine, max_spearman_loss;
};

/// "minilm, onnx/model.onnx, onnxruntime"
std::string name_of(const ModelFlags& flags) {
  std::string name = flags.model;
  if (!flags.options.file.empty()) name += ", " + flags.options.file;
  if (flags.compute != "auto") name += ", " + flags.compute;
  return name + ", " + flags.options.backend;
}

/// The library's texts that `quantize` measures with and doesn't calibrate with.
std::vector<std::string> held_out_texts() {
  std::vector<std::string> out;
  size_t i = 0;
  for (const std::string_view text : quantization::default_texts()) {
    if (quantization::is_held_out(i++)) out.emplace_back(text);
  }
  return out;
}

struct StsResult {
  size_t pairs = 0;
  double model = 0, against = 0;
};

struct Evaluation {
  std::vector<std::string> texts;
  ev::Retention retention;
  std::optional<StsResult> sts;
};

Evaluation evaluate(const EvalFlags& flags) {
  Evaluation out;
  std::optional<ev::StsPairs> pairs;
  if (!flags.sts.empty()) pairs = ev::read_sts(flags.sts);
  if (!flags.texts.empty()) {
    out.texts = named_texts(flags.texts);
  } else if (pairs) {
    out.texts = pairs->left;
    out.texts.insert(out.texts.end(), pairs->right.begin(), pairs->right.end());
  } else {
    out.texts = held_out_texts();
  }
  std::vector<Matrix> all, left, right;
  for (const ModelFlags* side : {&flags.model, &flags.against}) {
    const Embedder model = load_model(*side);
    const EncodeOptions options{.batch_size = flags.batch_size};
    all.push_back(model.encode(out.texts, options));
    if (!pairs) continue;
    left.push_back(model.encode(pairs->left, options));
    right.push_back(model.encode(pairs->right, options));
  }
  out.retention = ev::retention(out.texts, all[0], all[1]);
  if (pairs) {
    out.sts = {pairs->scores.size(), ev::sts_spearman(left[0], right[0], pairs->scores),
               ev::sts_spearman(left[1], right[1], pairs->scores)};
  }
  return out;
}

std::vector<std::string> missed(const EvalFlags& flags, const Evaluation& e) {
  std::vector<std::string> out;
  const ev::Summary& cosine = e.retention.cosine;
  if (flags.min_cosine && !(cosine.mean >= *flags.min_cosine))
    out.push_back(fmt::format("mean cosine {:.6f} is below {}", cosine.mean, *flags.min_cosine));
  if (flags.min_worst_cosine && !(cosine.min >= *flags.min_worst_cosine)) {
    out.push_back(
        fmt::format("least cosine {:.6f} is below {}", cosine.min, *flags.min_worst_cosine));
  }
  if (flags.max_spearman_loss) {
    const double loss = 100 * (e.sts->against - e.sts->model);
    if (!(loss <= *flags.max_spearman_loss))
      out.push_back(
          fmt::format("Spearman lost {:.3f}, more than {}", loss, *flags.max_spearman_loss));
  }
  return out;
}

Json summary_json(const ev::Summary& s) {
  return {{"texts", s.count}, {"mean", s.mean}, {"min", s.min},
          {"p1", s.p1},       {"p5", s.p5},     {"p50", s.p50}};
}

Json to_json(const EvalFlags& flags, const Evaluation& e) {
  const ev::Retention& r = e.retention;
  Json out = {{"model", name_of(flags.model)},
              {"against", name_of(flags.against)},
              {"cosine", summary_json(r.cosine)},
              {"neighbour_overlap_at_10", r.overlap}};
  for (const ev::LengthBucket& b : r.lengths) {
    Json one = {{"least_characters", b.least},
                {"most_characters", b.most == 0 ? Json(nullptr) : Json(b.most)}};
    one.update(summary_json(b.cosine));
    out["lengths"].push_back(one);
  }
  for (const size_t i : r.worst)
    out["worst"].push_back({{"line", i + 1}, {"cosine", r.cosines[i]}, {"text", e.texts[i]}});
  if (e.sts) {
    out["spearman"] = {
        {"pairs", e.sts->pairs}, {"model", 100 * e.sts->model}, {"against", 100 * e.sts->against}};
  }
  out["missed"] = missed(flags, e);
  return out;
}

/// The start of a text, on one line.
std::string shown(const std::string& text) {
  std::string out;
  size_t characters = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U && ++characters > 60) return out + "...";
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  return out;
}

void print_row(const std::string& name, const ev::Summary& s) {
  print(fmt::format("{:<18} {:>6} {:>9.5f} {:>9.5f} {:>9.5f} {:>9.5f} {:>9.5f}\n", name, s.count,
                    s.mean, s.p50, s.p5, s.p1, s.min));
}

void print_report(const EvalFlags& flags, const Evaluation& e) {
  const ev::Retention& r = e.retention;
  print(fmt::format("model    {}\nagainst  {}\n\n", name_of(flags.model), name_of(flags.against)));
  print(fmt::format("{:<18} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "cosine", "texts", "mean",
                    "median", "p5", "p1", "min"));
  print_row("all", r.cosine);
  for (const ev::LengthBucket& b : r.lengths) {
    const std::string range = b.most == 0 ? fmt::format("{} and more", b.least)
                                          : fmt::format("{} to {}", b.least, b.most);
    print_row("  " + range, b.cosine);
  }
  print("  (lengths in characters)\n\nworst\n");
  for (const size_t i : r.worst)
    print(fmt::format("  {:.5f}  text {}: {}\n", r.cosines[i], i + 1, shown(e.texts[i])));
  print(fmt::format("\nnearest 10 texts, share that both have: {:.4f}\n", r.overlap));
  if (e.sts) {
    print(fmt::format("Spearman x 100 of {} pairs: {:.3f}, against {:.3f} ({:+.3f})\n",
                      e.sts->pairs, 100 * e.sts->model, 100 * e.sts->against,
                      100 * (e.sts->model - e.sts->against)));
  }
}

void complete(EvalFlags& flags) {
  EmbedderOptions& against = flags.against.options;
  const EmbedderOptions& model = flags.model.options;
  if (flags.against.model.empty()) flags.against.model = flags.model.model;
  if (against.tokenizer.empty()) against.tokenizer = model.tokenizer;
  against.threads = model.threads;
  against.max_length = model.max_length;
  flags.against.pooling = flags.model.pooling;
  if (flags.max_spearman_loss && flags.sts.empty())
    throw_usage("--max-spearman-loss needs pairs with scores: --sts FILE");
  if (flags.sts.empty() && name_of(flags.model) == name_of(flags.against)) {
    throw_usage(
        "a model is compared with itself; name another --file, --backend or --compute, or what to "
        "compare with: --against MODEL");
  }
}

void run_eval(EvalFlags& flags) {
  complete(flags);
  std::optional<AtomicFile> file;
  if (!flags.json.empty() && flags.json != "-") file.emplace(flags.json);
  const Evaluation result = evaluate(flags);
  const std::string json = to_json(flags, result).dump(2) + "\n";
  if (flags.json == "-") {
    print(json);
  } else {
    print_report(flags, result);
  }
  if (file) {
    file->write(json);
    file->commit();
  }
  const std::vector<std::string> failed = missed(flags, result);
  if (!failed.empty()) {
    throw_not_supported(name_of(flags.model) + ": the quality that was asked for is missed: " +
                        fmt::format("{}", fmt::join(failed, "; ")));
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  const auto flags = std::make_shared<EvalFlags>();
  CLI::App* command = app.add_subcommand(
      "eval", "Compare a model's vectors with another's, and with people's scores");
  add_model_flags(*command, flags->model);
  command->add_option("--against", flags->against.model,
                      "the model to compare with (default: the same, its float32 file, natively)");
  command->add_option("--against-file", flags->against.options.file,
                      "its .onnx file within the folder");
  command->add_option("--against-backend", flags->against.options.backend, "who runs it")
      ->check(CLI::IsMember(backend_names()))
      ->capture_default_str();
  command->add_option("--against-base-url", flags->against.options.server.base_url,
                      "of its server");
  command->add_option("--against-compute", flags->against.compute)->capture_default_str();
  command->add_option("--texts", flags->texts,
                      "a file with a text a line, sentences, or passages (default: the sentences "
                      "of --sts, else some of the command's own)");
  command->add_option("--sts", flags->sts,
                      "pairs with scores, .csv or .tsv: columns sentence1, sentence2, score");
  command->add_option("--batch-size", flags->batch_size, "texts taken up at once")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--json", flags->json, "write the figures as JSON; - for standard output");
  const char* exits = "exit status 4 when missed";
  command->add_option("--min-cosine", flags->min_cosine, std::string("mean; ") + exits);
  command->add_option("--min-worst-cosine", flags->min_worst_cosine,
                      std::string("of every text; ") + exits);
  command->add_option("--max-spearman-loss", flags->max_spearman_loss,
                      std::string("of Spearman x 100; ") + exits);
  command->footer(
      "Examples:\n"
      "  embedforge eval minilm --file onnx/model_qint8_dynamic.onnx --sts stsb-dev.csv "
      "--min-cosine 0.9995\n"
      "  embedforge eval minilm --backend onnxruntime --texts passages\n"
      "  embedforge eval minilm --against sentence-transformers/all-MiniLM-L6-v2 "
      "--against-backend torch");
  command->callback([flags] { run_eval(*flags); });
}

}  // namespace embedforge::app
