// Takes: the options of a model. Gives: whether each has a meaning for the backend that they name.
// Never: opens a file.
#pragma once

#include <functional>
#include <string>

#include "embedforge/embedder.h"

namespace embedforge {

/// True for those that run an .onnx file on this machine: native and onnxruntime.
bool is_local_backend(const std::string& backend);

/// How an option is called where it was given: "max_length" as it is, or "--max-length".
using Spelling = std::function<std::string(const std::string& field)>;

/// Errors: kUsage for an unknown backend, or an option that has no meaning for it;
/// kNotSupported for a GPU with the native engine.
void check_options(const EmbedderOptions& options, const Spelling& spelling = {});

}  // namespace embedforge
