// Takes: the pickled dict of tensors of a torch.save archive. Gives: each tensor's type, shape and
// place in its storage. Never: imports or calls anything: the few functions and classes that a dict
// of tensors needs are recognized by name, and whatever else is named is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// A view into a storage; counts, offsets and strides are in elements.
struct StoredTensor {
  DataType type = DataType::kUndefined;
  std::string storage;  // the archive's entry data/<storage>
  uint64_t storage_elements = 0;
  uint64_t offset = 0;
  std::vector<int64_t> dims;
  std::vector<int64_t> strides;
};

/// Errors: kBadInput beginning with `file` when the pickle is damaged or holds no flat dict of
/// tensors; kNotSupported with the name of what isn't allowed. (Opcodes: CPython's
/// Lib/pickletools.py, protocols 2 to 5)
std::map<std::string, StoredTensor> read_state_dict(std::span<const std::byte> pickle,
                                                    const std::string& file);

}  // namespace embedforge
