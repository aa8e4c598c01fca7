#include "hub/needs.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "config/json_file.h"
#include "config/model_folder.h"
#include "embedforge/error.h"
#include "graph/external_names.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

std::string joined(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

/// A folder of modules.json, without the "./" and the "/" at its end. Errors: kBadInput for one
/// that leaves the repository.
std::string module_folder(const JsonFile& module) {
  const fs::path path = fs::path(module.string("path", "")).lexically_normal();
  if (path.is_absolute() || std::ranges::find(path, "..") != path.end())
    throw_bad_input(module.name() + ": path \"" + path.string() + "\" leaves the model folder");
  std::string folder = path.string();
  while (folder.ends_with('/')) folder.pop_back();
  return folder == "." ? "" : folder;
}

class Collector {
 public:
  Collector(const RepositoryView& view, PullWhat what, std::string file)
      : view_(view), what_(what), file_(std::move(file)) {}

  Needs collect() {
    if (may("modules.json")) read_modules();
    may("config_sentence_transformers.json");
    settings_of_transformer();
    if (what_ == PullWhat::kSettings) return std::move(needs_);
    if (what_ == PullWhat::kWeights || !add_onnx()) add_weights();
    return std::move(needs_);
  }

 private:
  bool there(const std::string& path) const { return view_.has(path).value_or(false); }
  void want(const std::string& path) {
    if (std::ranges::find(needs_.files, path) == needs_.files.end()) needs_.files.push_back(path);
  }
  /// Wants it where the repository has it.
  bool may(const std::string& path) {
    const std::optional<bool> has = view_.has(path);
    if (!has) needs_.unknown.push_back(path);
    if (has.value_or(false)) want(path);
    return has.value_or(false);
  }
  /// The same of files without which a model can do, so that not knowing of one is no fault.
  bool take(const std::string& path) {
    if (!there(path)) return false;
    want(path);
    return true;
  }
  template <typename Wanted>
  bool take_all(const std::string& folder, Wanted wanted) {
    bool any = false;
    for (const std::string& path : view_.list()) {
      if (folder_of(path) != folder || !wanted(fs::path(path))) continue;
      want(path);
      any = true;
    }
    return any;
  }

  void read_modules() {
    const fs::path path = view_.get("modules.json");
    if (path.empty()) return;
    const nlohmann::json modules = read_json(path);
    if (!modules.is_array()) throw_bad_input(path.string() + ": must hold a JSON array of modules");
    for (size_t i = 0; i < modules.size(); ++i) {
      const JsonFile module =
          JsonFile::of(modules[i], path.string() + " module " + std::to_string(i));
      const std::string folder = module_folder(module);
      const std::string type = module.string("type", "");
      const std::string kind = type.substr(type.rfind('.') + 1);
      if (i == 0) {
        transformer_ = folder;
      } else {
        module_files(folder, kind == "Dense" || kind == "LayerNorm",
                     kind != "Normalize" && kind != "Dropout");
      }
    }
  }

  /// Everything of the module's folder but a second form of its weights.
  void module_files(const std::string& folder, bool has_weights, bool has_config) {
    if (folder.empty()) return;
    const auto ends = [](const char* end) {
      return [end](const fs::path& path) { return path.extension() == end; };
    };
    if (has_config) want(joined(folder, "config.json"));
    take_all(folder, ends(".json"));
    const bool found = take_all(folder, ends(".safetensors")) || take_all(folder, ends(".bin")) ||
                       take_all(folder, ends(".pt"));
    if (!found && has_weights) want(joined(folder, "model.safetensors"));
  }

  void settings_of_transformer() {
    const auto name = [&](const char* file) { return joined(transformer_, file); };
    may(name("config.json"));
    may(name("tokenizer_config.json"));
    if (!may(name("sentence_bert_config.json"))) {
      take_all(transformer_, [](const fs::path& path) {
        const std::string file = path.filename().string();
        return file.starts_with("sentence_") && file.ends_with("_config.json");
      });
    }
    for (const char* file : {"special_tokens_map.json", "added_tokens.json", "adapter_config.json",
                             "vocab.txt", "vocab.json", "merges.txt", "bpe.codes"})
      take(name(file));
    if (there(name("adapter_config.json"))) take(name("adapter_model.safetensors"));
    if (take(name("tokenizer.json"))) return;
    bool found = there(name("vocab.txt")) || there(name("vocab.json"));
    for (const char* file : {"sentencepiece.bpe.model", "spiece.model", "spm.model",
                             "tokenizer.model", "sentencepiece.model"})
      found = take(name(file)) || found;
    if (!found) may(name("tokenizer.json"));
  }

  /// The .onnx files of the repository's own folder and of its onnx/.
  std::vector<std::string> onnx_files() const {
    std::vector<std::string> found;
    for (const std::string& folder : {std::string(), std::string("onnx")}) {
      for (const std::string& path : view_.list()) {
        if (folder_of(path) == folder && path.ends_with(".onnx")) found.push_back(path);
      }
      if (!found.empty()) break;
    }
    return found;
  }

  std::string listed(const std::vector<std::string>& paths) const {
    std::string names;
    for (const std::string& path : paths) names += (names.empty() ? "" : ", ") + path;
    return names;
  }

  bool add_onnx() {
    if (!file_.empty()) {
      const std::string path = fs::path(file_).lexically_normal().generic_string();
      const std::optional<bool> has = view_.has(path);
      if (has.has_value() && !*has) {
        const std::vector<std::string> others = onnx_files();
        throw_bad_input(view_.name + ": has no " + file_ +
                        (others.empty() ? "" : "; it has " + listed(others)));
      }
      want_onnx(path);
      return true;
    }
    for (const char* name : onnx_names()) {
      if (!there(name)) continue;
      want_onnx(name);
      return true;
    }
    const std::vector<std::string> found = onnx_files();
    const bool weights = found.empty() || weights_there();
    for (const char* name : onnx_names()) {
      if (view_.has(name).has_value()) continue;
      if (!weights) needs_.unknown.emplace_back(name);
      needs_.maybe_onnx = true;
    }
    if (weights) return false;
    if (found.size() > 1) {
      throw_bad_input(view_.name + ": has no onnx/model.onnx but several others (" + listed(found) +
                      "); choose one with --file");
    }
    want_onnx(found.front());
    return true;
  }

  void want_onnx(const std::string& path) {
    want(path);
    const fs::path file = view_.get(path);
    if (file.empty()) return;
    for (const std::string& name : external_data_names(file))
      want(fs::path(joined(folder_of(path), name)).lexically_normal().generic_string());
  }

  bool weights_there() const {
    return std::ranges::any_of(weight_names(),
                               [&](const char* name) { return there(joined(transformer_, name)); });
  }

  /// One kind, whole or in shards, in the folder of the transformer.
  void add_weights() {
    for (const char* name : weight_names()) {
      const std::string path = joined(transformer_, name);
      if (!take(path)) continue;
      if (path.ends_with(".index.json")) want_shards(path);
      return;
    }
    if (transformer_.empty() && !there("modules.json")) {  // written before modules.json was
      transformer_ = "0_Transformer";
      if (weights_there()) {
        settings_of_transformer();
        return add_weights();
      }
      transformer_.clear();
    }
    if (view_.has(joined(transformer_, weight_names().front()))) {
      throw_bad_input(view_.name +
                      ": has neither model.safetensors nor pytorch_model.bin nor onnx/model.onnx");
    }
    needs_.unknown.push_back(joined(transformer_, weight_names().front()));
  }

  void want_shards(const std::string& index) {
    const fs::path path = view_.get(index);
    if (path.empty()) return;
    const JsonFile file = JsonFile::read(path);
    const nlohmann::json* map = file.find("weight_map");
    if (map == nullptr || !map->is_object())
      throw_bad_input(file.name() + ": field \"weight_map\" must be an object");
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : map->items()) {
      if (!shard.is_string()) throw_bad_input(file.name() + ": a shard's name must be a string");
      const std::string name = shard.get<std::string>();
      if (fs::path(name).has_parent_path())
        throw_bad_input(file.name() + ": the shard \"" + name + "\" lies in another folder");
      shards.insert(name);
    }
    for (const std::string& shard : shards) want(joined(transformer_, shard));
  }

  const RepositoryView& view_;
  PullWhat what_;
  std::string file_;
  std::string transformer_;  // folder
  Needs needs_;
};

}  // namespace

Needs needed_files(const RepositoryView& view, PullWhat what, const std::string& file) {
  return Collector(view, what, file).collect();
}

}  // namespace embedforge
