// Takes: what a repository has, as the hub lists it or as far as the cache knows. Gives: which of
// its files a model needs, by what modules.json, index files and external data name. Never: asks
// the network itself.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "embedforge/hub.h"

namespace embedforge {

/// Paths are relative to the repository, with / between.
struct RepositoryView {
  std::string name;  // for messages
  /// nullopt: not known (a cache that another program filled in part).
  std::function<std::optional<bool>(const std::string& path)> has;
  /// The paths that are known to be there.
  std::function<std::vector<std::string>()> list;
  /// The file itself, fetched if need be; "" when it can't be had now.
  std::function<std::filesystem::path(const std::string& path)> get;
};

struct Needs {
  std::vector<std::string> files;    // in an order in which they may be fetched
  std::vector<std::string> unknown;  // that the repository may have and the model would need
  bool maybe_onnx = false;           // weights it is, unless the repository has an .onnx file
};

/// `file`: the .onnx file that is asked for; "": the repository's first choice. Errors: kBadInput
/// when it has neither weights nor an .onnx file, or not the one that is asked for, or several
/// could be meant.
Needs needed_files(const RepositoryView& view, PullWhat what, const std::string& file);

}  // namespace embedforge
