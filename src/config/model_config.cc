#include "config/model_config.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "config/json_file.h"
#include "config/model_keys.h"
#include "config/tokenizer_keys.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

struct Mode {
  const char* flag;  // 1_Pooling/config.json of sentence-transformers up to 5
  const char* name;  // "pooling_mode" of later versions
  Pooling mode;
};

// In the order in which several modes are concatenated.
constexpr std::array<Mode, 6> kModes = {{
    {"pooling_mode_cls_token", "cls", Pooling::kCls},
    {"pooling_mode_max_tokens", "max", Pooling::kMax},
    {"pooling_mode_mean_tokens", "mean", Pooling::kMean},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling::kMeanSqrtLength},
    {"pooling_mode_weightedmean_tokens", "weightedmean", Pooling::kWeightedMean},
    {"pooling_mode_lasttoken", "lasttoken", Pooling::kLast},
}};

// Names that sentence_bert_config.json had for other architectures, in the order they are tried.
constexpr std::array<const char*, 7> kLengthFiles = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json"};

Pooling mode_by_name(const std::string& name, const std::string& file) {
  for (const Mode& mode : kModes) {
    if (name == mode.name) return mode.mode;
  }
  throw_not_supported(file + ": pooling_mode \"" + name +
                      "\" is unknown; known are cls, max, mean, mean_sqrt_len_tokens, "
                      "weightedmean and lasttoken");
}

void read_pooling(const JsonFile& file, ModelConfig& config) {
  config.include_prompt = file.boolean("include_prompt", true);
  config.pooling.clear();
  if (const nlohmann::json* named = file.find("pooling_mode")) {
    const nlohmann::json list = named->is_array() ? *named : nlohmann::json::array({*named});
    for (const nlohmann::json& name : list) {
      if (!name.is_string()) {
        throw_bad_input(file.name() + ": field \"pooling_mode\" must be a string or strings");
      }
      config.pooling.push_back(mode_by_name(name.get<std::string>(), file.name()));
    }
  } else {
    for (const Mode& mode : kModes) {
      if (file.boolean(mode.flag, false)) config.pooling.push_back(mode.mode);
    }
  }
  if (config.pooling.empty()) config.pooling.push_back(Pooling::kMean);
}

/// A path of modules.json, which must stay within the folder.
std::filesystem::path module_folder(const std::filesystem::path& folder, const JsonFile& module) {
  const std::filesystem::path path = module.string("path", "");
  const bool climbs =
      std::any_of(path.begin(), path.end(), [](const auto& p) { return p == ".."; });
  if (path.is_absolute() || climbs) {
    throw_bad_input(module.name() + ": path \"" + path.string() + "\" leaves the model folder");
  }
  return path.empty() ? folder : folder / path;
}

/// activation_function is the class's full name, "torch.nn.modules.activation.Tanh".
std::string dense_activation(const JsonFile& file) {
  static constexpr std::array<std::pair<const char*, const char*>, 6> kNames = {
      {{"Identity", "identity"},
       {"Tanh", "tanh"},
       {"ReLU", "relu"},
       {"GELU", "gelu"},
       {"Sigmoid", "sigmoid"},
       {"SiLU", "silu"}}};
  const std::string given = file.string("activation_function", "torch.nn.modules.activation.Tanh");
  const std::string name = given.substr(given.rfind('.') + 1);
  for (const auto& [theirs, ours] : kNames) {
    if (given.starts_with("torch.nn.") && name == theirs) return ours;
  }
  throw_not_supported(file.name() + ": activation_function \"" + given +
                      "\" is not supported (supported: Identity, Tanh, ReLU, GELU, Sigmoid, SiLU)");
}

HeadModule read_dense(const JsonFile& file, const std::filesystem::path& folder) {
  return {HeadModule::Kind::kDense,     folder,
          file.positive("in_features"), file.positive("out_features"),
          file.boolean("bias", true),   dense_activation(file)};
}

/// Whether a module may stand there: a Pooling first, then what works on a vector.
bool fits(const std::string& kind, bool pooled) {
  if (kind == "Dropout") return true;  // does nothing once a model is trained
  if (kind == "Pooling") return !pooled;
  return pooled && (kind == "Dense" || kind == "LayerNorm" || kind == "Normalize");
}

/// One module after the Transformer. Errors: kNotSupported for one that isn't handled, with its
/// name.
void read_module(const JsonFile& module, const std::string& kind,
                 const std::filesystem::path& folder, const Notices& notices, ModelConfig& config) {
  if (!fits(kind, !config.scores)) {
    throw_not_supported(module.name() + ": type \"" + module.string("type", "") +
                        "\" is not supported here; supported is Transformer, then Pooling, then "
                        "Dense and LayerNorm, then Normalize");
  }
  const std::filesystem::path path = folder / "config.json";
  std::error_code ignored;
  const JsonFile file =
      kind == "Pooling" || kind == "Dense" || std::filesystem::exists(path, ignored)
          ? JsonFile::read(path)
          : JsonFile::of(nlohmann::json::object(), path.string());
  check_module_keys(file, kind, notices);
  if (kind == "Pooling") {
    read_pooling(file, config);
    config.scores = false;
  } else if (kind == "Normalize") {
    config.normalize = true;
  } else if (kind == "Dense") {
    config.head.push_back(read_dense(file, folder));
  } else if (kind == "LayerNorm") {
    config.head.push_back({HeadModule::Kind::kLayerNorm, folder});
  }
}

void read_modules(const std::filesystem::path& folder, const Notices& notices,
                  ModelConfig& config) {
  const std::filesystem::path path = folder / "modules.json";
  const nlohmann::json modules = read_json(path);
  if (!modules.is_array()) throw_bad_input(path.string() + ": must hold a JSON array of modules");
  config.has_modules = true;
  config.scores = true;  // until a Pooling is found
  for (size_t i = 0; i < modules.size(); ++i) {
    const std::string name = path.string() + " module " + std::to_string(i);
    const JsonFile module = JsonFile::of(modules[i], name);
    check_module_entry(module, notices);
    const std::string type = module.string("type", "");
    if (!type.starts_with("sentence_transformers.")) {
      throw_not_supported(name + ": type \"" + type + "\" is code of another package");
    }
    if (config.normalize) {
      throw_not_supported(name + ": a module after Normalize (" + type + ") is not supported");
    }
    const std::string kind = type.substr(type.rfind('.') + 1);
    config.module_folders.push_back(module_folder(folder, module));
    if (kind == "Transformer" && i == 0) {
      config.transformer = config.module_folders.back();
    } else {
      read_module(module, kind, config.module_folders.back(), notices, config);
    }
  }
}

/// The tokenizer's own limit; nullopt when it says none (transformers writes 1e30 then).
std::optional<int64_t> tokenizer_limit(const std::filesystem::path& folder) {
  const auto file = JsonFile::read_if_present(folder / "tokenizer_config.json");
  if (!file) return std::nullopt;
  const char* key = file->value().contains("model_max_length") ? "model_max_length" : "max_len";
  const double limit = file->number(key, 1e30);
  if (limit < 1 || limit > 1e9) return std::nullopt;
  return static_cast<int64_t>(limit);
}

void read_length(const Notices& notices, ModelConfig& config) {
  std::string task = "feature-extraction";
  for (const char* name : kLengthFiles) {
    const auto file = JsonFile::read_if_present(config.transformer / name);
    if (!file || file->value().empty()) continue;
    config.lower_case = file->boolean("do_lower_case", false);
    if (file->find("max_seq_length") != nullptr)
      config.max_length = file->positive("max_seq_length");
    task = file->string("transformer_task", task);
    check_transformer_keys(*file, task == "sequence-classification", notices);
    break;
  }
  if (config.has_modules && config.scores != (task == "sequence-classification")) {
    throw_not_supported((config.transformer / "modules.json").string() + ": has " +
                        (config.scores ? "no Pooling module" : "a Pooling module") +
                        ", and transformer_task is \"" + task + "\"");
  }
  if (config.max_length > 0) return;
  config.max_length = config.max_position_embeddings;
  if (const auto limit = tokenizer_limit(config.transformer)) {
    config.max_length = config.max_length > 0 ? std::min(config.max_length, *limit) : *limit;
  }
}

void read_prompts(const JsonFile& file, ModelConfig& config) {
  config.default_prompt_name = file.string("default_prompt_name", "");
  const nlohmann::json* found = file.find("prompts");
  const nlohmann::json prompts = found == nullptr ? nlohmann::json::object() : *found;
  if (!prompts.is_object()) throw_bad_input(file.name() + ": field \"prompts\" must be an object");
  for (const auto& [key, value] : prompts.items()) {
    if (value.is_null()) continue;
    if (!value.is_string()) {
      throw_bad_input(file.name() + ": field \"prompts\": \"" + key + "\" must be a string");
    }
    config.prompts[key] = value.get<std::string>();
  }
  config.own_prompts = !config.prompts.empty();
  if (!config.default_prompt_name.empty() && !config.prompts.contains(config.default_prompt_name)) {
    throw_bad_input(file.name() + ": default_prompt_name \"" + config.default_prompt_name +
                    "\" is not among the prompts");
  }
}

/// The class that makes a score of a logit, by its full name; "" leaves what is there.
void read_score_activation(const JsonFile& file, const std::string& key, ModelConfig& config) {
  const std::string name = file.string(key, "");
  if (name.empty()) return;
  config.sigmoid = name == "torch.nn.modules.activation.Sigmoid" || name == "torch.nn.Sigmoid";
  if (config.sigmoid || name == "torch.nn.modules.linear.Identity" || name == "torch.nn.Identity")
    return;
  throw_not_supported(file.name() + ": " + key + " is \"" + name +
                      "\"; supported are torch.nn.Sigmoid and torch.nn.Identity");
}

/// config_sentence_transformers.json.
void read_sentence_transformers(const std::filesystem::path& folder, const Notices& notices,
                                ModelConfig& config) {
  const auto file = JsonFile::read_if_present(folder / "config_sentence_transformers.json");
  if (!file) return;
  read_prompts(*file, config);
  config.similarity = file->string("similarity_fn_name", config.similarity);
  if (file->find("truncate_dim") != nullptr) config.truncate_dim = file->positive("truncate_dim");
  read_score_activation(*file, "activation_fn", config);
  check_sentence_transformers_keys(*file, notices);
}

/// Whether the first architecture that config.json names ends so.
bool is_for(const JsonFile& model, const std::string& task) {
  const nlohmann::json* names = model.find("architectures");
  return names != nullptr && names->is_array() && !names->empty() && names->front().is_string() &&
         names->front().get<std::string>().ends_with(task);
}

/// The first of several names that a field has; 0 when none is there.
int64_t first_integer(const JsonFile& file, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (file.find(name) != nullptr) return file.integer(name, 0);
  }
  return 0;
}

void read_transformer(const JsonFile& model, const Notices& notices, ModelConfig& config) {
  config.architecture = model.string("model_type", "");
  config.hidden_size = first_integer(model, {"hidden_size", "n_embd", "dim"});
  config.max_position_embeddings =
      std::max<int64_t>(0, first_integer(model, {"max_position_embeddings", "n_positions"}));
  config.pad_token_id = model.integer("pad_token_id", 0);
  const nlohmann::json* own = model.find("sentence_transformers");
  if (own != nullptr && own->is_object() && own->contains("activation_fn")) {
    read_score_activation(JsonFile::of(*own, model.name() + ": sentence_transformers"),
                          "activation_fn", config);
  } else {
    read_score_activation(model, "sbert_ce_default_activation_function", config);
  }
  if (!config.has_modules) {
    config.scores = is_for(model, "ForSequenceClassification");
    const bool causal = !model.value().contains("is_causal") || model.boolean("is_causal", false);
    if (is_for(model, "ForCausalLM") && causal) config.pooling = {Pooling::kLast};
  }
  tell_unknown_model_keys(model, notices);
}

}  // namespace

ModelConfig read_model_config(const std::filesystem::path& folder, const Notices& notices) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw_bad_input(folder.string() + ": no such folder");
  }
  ModelConfig config;
  config.transformer = folder;
  if (std::filesystem::exists(folder / "modules.json", ignored))
    read_modules(folder, notices, config);
  if (const auto model = JsonFile::read_if_present(config.transformer / "config.json"))
    read_transformer(*model, notices, config);
  check_tokenizer_config(config.transformer, notices);
  read_length(notices, config);
  read_sentence_transformers(folder, notices, config);
  if (config.architecture == "nomic_bert" && config.prompts.empty()) {
    // nomic-embed-text's page names these; its configuration doesn't.
    config.prompts = {{"query", "search_query: "},        {"document", "search_document: "},
                      {"search_query", "search_query: "}, {"search_document", "search_document: "},
                      {"clustering", "clustering: "},     {"classification", "classification: "}};
  }
  return config;
}

}  // namespace embedforge
