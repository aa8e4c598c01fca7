// A BERT small enough to write to disk in a test, with weights from a fixed pseudo-random sequence.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "checkpoint/checkpoint.h"
#include "convert/bert.h"

namespace embedforge {

/// 2 layers, 4 heads of 8, 50 words, 16 positions.
BertConfig tiny_config();
/// Every tensor of tiny_config()'s encoder, float32.
TensorMap tiny_weights(const BertConfig& config);

/// The tensors as a file of the safetensors format.
std::string safetensors_bytes(const TensorMap& tensors);
void write_bytes(const std::filesystem::path& path, const std::string& bytes);
/// A model folder: config.json, model.safetensors, tokenizer.json (empty object), modules.json with
/// mean pooling and Normalize.
void write_tiny_model(const std::filesystem::path& folder);

}  // namespace embedforge
