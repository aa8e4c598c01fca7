// Takes: a model's name as users of sentence-transformers type it. Gives: its id on the hub. Never:
// asks anybody.
#pragma once

#include <string>

namespace embedforge {

/// "all-MiniLM-L6-v2" -> "sentence-transformers/all-MiniLM-L6-v2", but for the models that stand on
/// the hub without an owner, and those that the cache has by the short name.
std::string whole_id(const std::string& name);

}  // namespace embedforge
