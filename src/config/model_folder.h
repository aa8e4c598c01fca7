// Takes: a model folder, or the paths of a repository. Gives: which of its files are the model: the
// graph, the weights, what they keep beside them. Never: opens a file.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embedforge/model.h"

namespace embedforge {

/// Where the graph of a model lies, and its weights (whole or as a list of shards), first choice
/// first.
std::span<const char* const> onnx_names();
std::span<const char* const> weight_names();

/// Whether `folder` has a file or folder of one of these names.
bool has_any(const std::filesystem::path& folder, std::span<const char* const> names);

/// The .onnx file that is meant. `file`: a path within the folder or of its own; "": one of
/// onnx_names(), else the only .onnx file of the folder or of its onnx/. Errors: kBadInput when
/// there is none, or when several could be meant (they are listed).
std::filesystem::path find_onnx(const std::filesystem::path& folder, const std::string& file = "");

/// Whether `path` is external data of the .onnx file `onnx`, by the names that exporters give.
bool is_external_data(std::string_view path, std::string_view onnx);

/// The .onnx file and its external data, with their sizes.
std::vector<WrittenFile> onnx_files(const std::filesystem::path& onnx);
/// Their sizes added up.
uint64_t onnx_bytes(const std::filesystem::path& onnx);

}  // namespace embedforge
