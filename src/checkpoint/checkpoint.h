// Takes: a model folder with weights (safetensors or PyTorch's .bin, whole or in shards). Gives:
// its tensors by name. Never: executes what a file says, copies weights that lie ready in the
// mapped file, or trusts a size before checking it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

using TensorMap = std::map<std::string, Tensor>;

struct Checkpoint {
  TensorMap tensors;
  std::vector<std::filesystem::path> files;  // those that were read
  uint64_t file_bytes = 0;                   // their sizes added up
};

/// The first of: model.safetensors, model.safetensors.index.json, pytorch_model.bin,
/// pytorch_model.bin.index.json. Errors: kBadInput with file and tensor; kNotSupported for a format
/// that isn't read.
Checkpoint read_checkpoint(const std::filesystem::path& folder);

/// One file of the safetensors format: 8 bytes header length, a JSON header, the tensors' bytes
/// without gaps. (https://github.com/huggingface/safetensors#format)
TensorMap read_safetensors(const std::filesystem::path& path);

/// One file of torch.save (since PyTorch 1.6): a zip archive of stored entries with a pickled dict
/// of tensors.
TensorMap read_torch_bin(const std::filesystem::path& path);

}  // namespace embedforge
