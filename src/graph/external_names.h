// Takes: an .onnx file. Gives: the names of the files that keep its tensors. Never: reads a tensor,
// or looks whether those files are there.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace embedforge {

/// Relative to the file's folder. Errors: kBadInput for a damaged file, or a name that leaves the
/// folder.
std::set<std::string> external_data_names(const std::filesystem::path& onnx);

}  // namespace embedforge
