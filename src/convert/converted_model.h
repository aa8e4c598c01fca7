// Takes: what a user names a model by. Gives: a folder with an .onnx file: the one that is meant,
// or one that was converted from its checkpoint and is kept in the cache. Never: converts twice, or
// changes the checkpoint's folder.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "hub/hub.h"

namespace embedforge {

/// As resolve_model(), and where a folder or hub id has a checkpoint and no .onnx file at all, its
/// conversion in the cache folder's models/NAME/KEY. The key stands for the files (their names,
/// sizes and times, or the hub's hashes) and this library's version. `file`: the .onnx file that is
/// asked for by name, which is never converted to. `tell`: one line when something is converted.
/// Errors: as resolve_model() and convert(); kBadInput where there is neither file nor checkpoint,
/// or the cache is switched off.
ResolvedModel resolve_converted(const std::string& model, const std::string& file = "",
                                const std::function<void(const std::string&)>& tell = {});

}  // namespace embedforge
