// Takes: a model as it was named. Gives: its .onnx file. Never: opens it.
#pragma once

#include <filesystem>
#include <string>

#include "hub/hub.h"

namespace embedforge {

/// `file`: a path within the folder, or "" for onnx/model.onnx, then model.onnx. Errors: kBadInput
/// when there is none.
std::filesystem::path find_onnx(const ResolvedModel& model, const std::string& file);

}  // namespace embedforge
