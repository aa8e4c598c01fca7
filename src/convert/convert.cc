#include <set>
#include <string>
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

/// Whether a file of the transformer's folder goes with the graph: what tokenizers, transformers
/// and sentence-transformers read, of any name, but no weights.
bool is_companion(const fs::path& path) {
  static const std::set<fs::path> kEndings = {".json", ".txt", ".model", ".jinja", ".codes"};
  const std::string name = path.filename().string();
  return kEndings.contains(path.extension()) && !name.ends_with(".index.json") &&
         !name.starts_with('.');
}

/// The files of `part`, a folder within the model folder, without those of folders within it.
void add_files(const fs::path& folder, const fs::path& part, bool weights,
               std::set<fs::path>& out) {
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(part, missing)) {
    if (entry.is_regular_file() && (weights || is_companion(entry.path())))
      out.insert(entry.path().lexically_relative(folder).lexically_normal());
  }
}

/// The companions that exist, relative to the model folder: settings and vocabularies of it and of
/// its transformer's folder, and whatever the folders of the other modules hold.
std::set<fs::path> companions(const fs::path& folder, const ModelConfig& config) {
  std::set<fs::path> found;
  add_files(folder, folder, false, found);
  add_files(folder, config.transformer, false, found);
  for (const fs::path& part : config.module_folders) {
    if (part != config.transformer) add_files(folder, part, true, found);
  }
  return found;
}

/// sentence-transformers would add the adapter to the weights.
void refuse_adapter(const fs::path& transformer) {
  const fs::path path = transformer / "adapter_config.json";
  if (!fs::exists(path)) return;
  throw_not_supported(path.string() +
                      ": adapters are not supported; merge it into the weights (peft: "
                      "merge_and_unload) and save the model");
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
  refuse_adapter(transformer);
  const Checkpoint checkpoint = read_checkpoint(transformer);
  result.checkpoint_bytes = checkpoint.file_bytes;
  BuiltEncoder built = build_encoder({settings, checkpoint.tensors, options.opset, config.scores});
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
