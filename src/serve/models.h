// Takes: the models that a server is given. Gives: them by name, loaded when they are wanted,
// unloaded when nobody does, exchanged on request. Never: runs one.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "embed/local_model.h"
#include "serve/catalog.h"

namespace embedforge::serve {

/// A model in memory. Whoever holds it may go on after it was exchanged or unloaded.
struct ServedModel {
  std::shared_ptr<const ModelEntry> entry;
  std::unique_ptr<const LocalModel> model;
};

struct ModelsOptions {
  std::vector<std::string> models;                           // ids, folders or files; at least 1
  std::vector<std::pair<std::string, std::string>> aliases;  // name, model; name "*": any other
  EmbedderOptions options;                                   // of each
  std::chrono::duration<double> ttl{0};  // unload after so long without a request; 0: never
};

class Models : public Catalog {
 public:
  /// Loads all. Errors: those of LocalModel::load, with the model's name; kUsage for an alias of a
  /// model that isn't served, or a name that stands for two.
  Models(ModelsOptions options, Settings settings);

  std::vector<std::shared_ptr<const ModelEntry>> models() const override;
  std::shared_ptr<const ModelEntry> find(std::string_view name, ModelKind kind) const override;
  const Settings& settings() const override { return settings_; }

  /// The model of an entry of find(); loaded again if it was unloaded, which takes a while.
  /// Errors: Failure kUnready when its files can't be loaded any more.
  std::shared_ptr<const ServedModel> get(const ModelEntry& entry) const;
  /// Loads all anew, one after another; each takes its predecessor's place when it is ready.
  /// Errors: as the constructor, for the first that fails; it and the rest stay as they were.
  void reload();
  /// Unloads what nobody asked for within the ttl.
  void unload_idle();

 private:
  struct Slot {
    std::string name;  // as given
    std::vector<std::string> aliases;
    std::mutex loading;                         // held while it is loaded
    std::shared_ptr<const ModelEntry> entry;    // stays when it is unloaded
    std::shared_ptr<const ServedModel> served;  // nullptr: unloaded
    std::chrono::steady_clock::time_point used;
  };
  std::shared_ptr<const ServedModel> load(const Slot& slot) const;
  void put(Slot& slot, std::shared_ptr<const ServedModel> served) const;

  ModelsOptions options_;
  SharedThreads threads_;  // of all models
  Settings settings_;
  bool any_name_ = false;     // --alias '*=MODEL' …
  std::string any_model_;     // … of this one
  mutable std::mutex mutex_;  // of the slots' entry, served and used
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace embedforge::serve
