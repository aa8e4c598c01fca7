// Takes: a checkpoint and the model folder made from it. Gives: how far their embeddings are apart,
// printed. Never: uses the graph or the engine for the checkpoint's side.
#pragma once

#include <filesystem>
#include <string>

namespace embedforge::app {

/// Errors: kNotSupported for an architecture that verify_model() can't compute.
void check_can_verify(const std::string& checkpoint);

/// Embeds a few texts with the written file and, in double precision, with the checkpoint's own
/// tensors. Errors: kBug when they differ by more than float32 rounding explains.
void verify_model(const std::string& checkpoint, const std::filesystem::path& written);

}  // namespace embedforge::app
