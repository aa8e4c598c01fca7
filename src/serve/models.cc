#include "serve/models.h"

#include <algorithm>
#include <filesystem>

#include "config/json_file.h"
#include "config/model_folder.h"
#include "embed/encode_plan.h"
#include "embedforge/error.h"
#include "serve/failure.h"

namespace embedforge::serve {
namespace {

using std::chrono::steady_clock;

int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t modification_time(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto time = std::filesystem::last_write_time(file, ignored);
  if (ignored) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::file_clock::to_sys(time).time_since_epoch())
      .count();
}

/// "all-MiniLM-L6-v2" of "sentence-transformers/all-MiniLM-L6-v2" and of
/// "/models/all-MiniLM-L6-v2/".
std::string last_part(std::string_view name) {
  while (name.ends_with('/')) name.remove_suffix(1);
  return std::string(name.substr(name.rfind('/') + 1));
}

/// The commit in .../snapshots/COMMIT/...; "" for a folder that isn't in the hub's cache.
std::string revision_of(const std::filesystem::path& path) {
  bool next = false;
  for (const std::filesystem::path& part : path) {
    if (next) return part.string();
    next = part == "snapshots";
  }
  return "";
}

/// config.json's id2label by index; without it LABEL_0, LABEL_1, … as transformers names them.
std::vector<std::string> labels_of(const std::filesystem::path& folder, size_t count) {
  std::vector<std::string> labels;
  labels.reserve(count);
  const auto config = JsonFile::read_if_present(folder / "config.json");
  const nlohmann::json* names = config ? config->find("id2label") : nullptr;
  for (size_t i = 0; i < count; ++i) {
    const std::string key = std::to_string(i);
    const bool named =
        names != nullptr && names->is_object() && names->contains(key) && (*names)[key].is_string();
    labels.push_back(named ? (*names)[key].get<std::string>() : "LABEL_" + key);
  }
  return labels;
}

std::shared_ptr<const ModelEntry> describe(const std::string& name,
                                           const std::vector<std::string>& aliases,
                                           const LocalModel& model) {
  auto entry = std::make_shared<ModelEntry>();
  const TextModel& text = model.text();
  entry->id = name;
  entry->aliases = aliases;
  entry->info = model.info();
  const bool scores = model.backend().gives(Want::kScores);
  if (scores) {
    entry->labels = labels_of(text.config.transformer, entry->info.dimension);
    entry->kind = entry->info.dimension == 1 ? ModelKind::kReranker : ModelKind::kClassifier;
  } else if (const size_t own = own_dimensions(text.config, entry->info.dimension); own > 0) {
    entry->info.dimension = own;
  }
  entry->architecture = text.config.architecture;
  entry->compute = entry->info.compute;
  entry->revision = revision_of(text.onnx);
  entry->bytes = onnx_bytes(text.onnx);
  entry->modified = modification_time(text.onnx);
  entry->loaded = unix_time();
  entry->vocabulary = static_cast<int32_t>(text.tokenizer.vocabulary_size());
  const Encoding empty = text.tokenizer.encode("");
  if (!empty.special.empty() && empty.special.front() != 0) entry->first_id = empty.ids.front();
  if (empty.ids.size() > 1 && empty.special.back() != 0) entry->last_id = empty.ids.back();
  return entry;
}

bool suits(ModelKind kind, ModelKind wanted) {
  return kind == wanted || (wanted == ModelKind::kClassifier && kind == ModelKind::kReranker);
}

}  // namespace

Models::Models(ModelsOptions options, Settings settings)
    : options_(std::move(options)), settings_(std::move(settings)) {
  if (options_.options.threads == 0) options_.options.threads = available_threads();
  threads_ = share_threads(options_.options.threads);
  for (const std::string& name : options_.models) {
    auto slot = std::make_unique<Slot>();
    slot->name = name;
    slots_.push_back(std::move(slot));
  }
  if (!settings_.served_model_name.empty())
    slots_.front()->aliases.push_back(settings_.served_model_name);
  for (const auto& [alias, model] : options_.aliases) {
    const auto slot = std::ranges::find_if(slots_, [&](const std::unique_ptr<Slot>& each) {
      return each->name == model || last_part(each->name) == model;
    });
    if (slot == slots_.end())
      throw_usage("--alias " + alias + "=" + model + ": no such model is served");
    if (alias == "*") {
      any_name_ = true;
      any_model_ = (*slot)->name;
    } else {
      (*slot)->aliases.push_back(alias);
    }
  }
  for (const std::unique_ptr<Slot>& slot : slots_) {
    std::vector<std::string> names = slot->aliases;
    names.push_back(slot->name);
    for (const std::unique_ptr<Slot>& other : slots_) {
      for (const std::string& name : names) {
        if (other != slot && (other->name == name || std::ranges::count(other->aliases, name) > 0))
          throw_usage("two models would answer to \"" + name + "\"; give one an --alias");
      }
    }
  }
  for (const std::unique_ptr<Slot>& slot : slots_) put(*slot, load(*slot));
}

std::shared_ptr<const ServedModel> Models::load(const Slot& slot) const {
  auto served = std::make_shared<ServedModel>();
  try {
    served->model = LocalModel::load(slot.name, options_.options, std::nullopt, threads_);
  } catch (const Error& error) {
    throw Error(error.code(), "model " + slot.name + ": " + error.what());
  }
  served->entry = describe(slot.name, slot.aliases, *served->model);
  return served;
}

void Models::put(Slot& slot, std::shared_ptr<const ServedModel> served) const {
  const std::lock_guard lock(mutex_);
  slot.entry = served->entry;
  slot.served = std::move(served);
  slot.used = steady_clock::now();
}

std::vector<std::shared_ptr<const ModelEntry>> Models::models() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const ModelEntry>> out;
  out.reserve(slots_.size());
  for (const std::unique_ptr<Slot>& slot : slots_) out.push_back(slot->entry);
  return out;
}

std::shared_ptr<const ModelEntry> Models::find(std::string_view name, ModelKind kind) const {
  const std::vector<std::shared_ptr<const ModelEntry>> all = models();
  if (name.empty()) {
    for (const auto& entry : all) {
      if (entry->kind == kind) return entry;
    }
    for (const auto& entry : all) {
      if (suits(entry->kind, kind)) return entry;
    }
    return all.front();
  }
  const auto named = [&](std::string_view wanted) -> std::shared_ptr<const ModelEntry> {
    for (const auto& entry : all) {
      if (entry->id == wanted || std::ranges::count(entry->aliases, wanted) > 0) return entry;
    }
    for (const auto& entry : all) {
      if (last_part(entry->id) == wanted) return entry;
    }
    return nullptr;
  };
  if (auto entry = named(name)) return entry;
  constexpr std::string_view kTag = ":latest";
  if (name.ends_with(kTag)) {
    if (auto entry = named(name.substr(0, name.size() - kTag.size()))) return entry;
  }
  if (any_name_) return named(any_model_);
  std::string known;
  for (const auto& entry : all) {
    known += (known.empty() ? "" : ", ") + entry->id;
    for (const std::string& alias : entry->aliases) known += ", " + alias;
  }
  throw Failure(FailureKind::kNotFound,
                "model '" + std::string(name) + "' not found; served are " + known +
                    " (serve --alias '" + std::string(name) + "=MODEL' adds a name)",
                "model");
}

std::shared_ptr<const ServedModel> Models::get(const ModelEntry& entry) const {
  const auto slot = std::ranges::find_if(
      slots_, [&](const std::unique_ptr<Slot>& each) { return each->name == entry.id; });
  const auto present = [&]() -> std::shared_ptr<const ServedModel> {
    const std::lock_guard lock(mutex_);
    (*slot)->used = steady_clock::now();
    return (*slot)->served;
  };
  if (auto served = present()) return served;
  const std::lock_guard loading((*slot)->loading);
  if (auto served = present()) return served;
  try {
    put(**slot, load(**slot));
  } catch (const Error& error) {
    throw Failure(FailureKind::kUnready, error.what());
  }
  return present();
}

void Models::reload() {
  for (const std::unique_ptr<Slot>& slot : slots_) {
    const std::lock_guard loading(slot->loading);
    put(*slot, load(*slot));
  }
}

void Models::unload_idle() {
  if (options_.ttl.count() <= 0) return;
  std::vector<std::shared_ptr<const ServedModel>> gone;  // freed after the lock
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->served == nullptr || steady_clock::now() - slot->used < options_.ttl) continue;
    auto entry = std::make_shared<ModelEntry>(*slot->entry);
    entry->loaded = 0;
    slot->entry = std::move(entry);
    gone.push_back(std::move(slot->served));
    slot->served = nullptr;
  }
}

}  // namespace embedforge::serve
