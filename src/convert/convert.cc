#include <array>
#include <set>
#include <utility>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "config/json_file.h"
#include "config/known_keys.h"
#include "config/model_config.h"
#include "config/model_folder.h"
#include "convert/architectures.h"
#include "convert/pooling.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "graph/verify.h"
#include "graph/write_onnx.h"
#include "hub/hub.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

constexpr int kFirstOpset = 17;  // LayerNormalization came with it
constexpr int kLastOpset = 20;

// What tokenizers, transformers and sentence-transformers read, in the model folder and in the
// transformer's own.
constexpr std::array<const char*, 14> kCompanions = {"config.json",
                                                     "tokenizer.json",
                                                     "tokenizer_config.json",
                                                     "special_tokens_map.json",
                                                     "added_tokens.json",
                                                     "vocab.txt",
                                                     "vocab.json",
                                                     "merges.txt",
                                                     "sentencepiece.bpe.model",
                                                     "tokenizer.model",
                                                     "modules.json",
                                                     "sentence_bert_config.json",
                                                     "config_sentence_transformers.json",
                                                     "1_Pooling/config.json"};

/// The companions that exist, relative to the model folder.
std::set<fs::path> companions(const fs::path& folder, const ModelConfig& config) {
  const fs::path transformer = config.transformer.lexically_relative(folder);
  std::set<fs::path> found;
  for (const char* name : kCompanions) {
    for (const fs::path& relative : {fs::path(name), (transformer / name).lexically_normal()}) {
      std::error_code ignored;
      if (fs::is_regular_file(folder / relative, ignored)) found.insert(relative);
    }
  }
  for (const HeadModule& module : config.head) {
    const fs::path relative = module.folder.lexically_relative(folder);
    if (fs::is_regular_file(module.folder / "config.json")) found.insert(relative / "config.json");
    for (const fs::path& file : read_checkpoint(module.folder).files) {
      found.insert(relative / file.filename());
    }
  }
  return found;
}

void copy_companion(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  if (fs::equivalent(from, to, ignored)) return;
  const MappedFile source = MappedFile::open(from);
  AtomicFile target(to);
  target.write(source.bytes());
  target.commit();
}

Graph build(const fs::path& transformer, const ModelConfig& config, const ConvertOptions& options,
            ConvertResult& result) {
  const JsonFile settings = JsonFile::read(transformer / "config.json");
  find_architecture(settings);
  const Checkpoint checkpoint = read_checkpoint(transformer);
  result.checkpoint_bytes = checkpoint.file_bytes;
  BuiltEncoder built = build_encoder({settings, checkpoint.tensors, options.opset});
  const bool is_encoder = built.graph.outputs[0].name == "last_hidden_state";
  if (options.with_pooling && !is_encoder) {
    throw_not_supported(settings.name() +
                        ": a cross-encoder has no sentence embedding; leave --with-pooling out");
  }
  if (options.with_pooling) add_pooling(built.graph, config, built.hidden_size);
  return std::move(built.graph);
}

}  // namespace

ConvertResult convert(const std::string& model, const fs::path& out,
                      const ConvertOptions& options) {
  if (options.opset < kFirstOpset || options.opset > kLastOpset) {
    throw_usage("opset " + std::to_string(options.opset) + " is not supported; choose 17 to 20");
  }
  const ResolvedModel resolved = resolve_model(model, PullWhat::kWeights);
  if (!resolved.file.empty()) {
    throw_bad_input(model + ": is an .onnx file already; convert takes a folder with a checkpoint");
  }
  const fs::path& folder = resolved.folder;
  const Notices notices{options.warn, options.strict};
  const ModelConfig config = read_model_config(folder, notices);
  if (!fs::exists(config.transformer / "tokenizer.json")) {
    throw_bad_input((config.transformer / "tokenizer.json").string() +
                    ": missing; make it with transformers: "
                    "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)");
  }
  ConvertResult result;
  const Graph graph = build(config.transformer, config, options, result);
  verify(graph, "convert");
  result.model = out / "onnx" / "model.onnx";
  write_onnx(graph, result.model);
  result.files = onnx_files(result.model);
  for (const fs::path& relative : companions(folder, config)) {
    copy_companion(folder / relative, out / relative);
    result.files.push_back({out / relative, fs::file_size(out / relative)});
  }
  return result;
}

}  // namespace embedforge
