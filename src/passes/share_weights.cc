// Initializers with equal type, shape and bytes are kept once.
#include <algorithm>
#include <string_view>

#include "passes/editor.h"
#include "passes/passes.h"

namespace embedforge::passes {
namespace {

bool equal(const Tensor& a, const Tensor& b) {
  const bool same_bytes = a.bytes.data() == b.bytes.data() || std::ranges::equal(a.bytes, b.bytes);
  return a.type == b.type && a.dims == b.dims && a.bytes.size() == b.bytes.size() && same_bytes;
}

/// Of the first bytes: enough to tell most weights apart, without reading them all.
size_t hash_of(const Tensor& tensor) {
  constexpr size_t kRead = 4096;
  return std::hash<std::string_view>{}(
      {reinterpret_cast<const char*>(tensor.bytes.data()), std::min(kRead, tensor.bytes.size())});
}

}  // namespace

void share_weights(Graph& graph) {
  Editor editor(graph);
  std::unordered_map<size_t, Names> seen;
  for (const auto& [name, tensor] : graph.initializers) {
    if (tensor.type == DataType::kString) continue;
    Names& alike = seen[hash_of(tensor)];
    const auto first = std::ranges::find_if(
        alike, [&](const std::string& each) { return equal(graph.initializers.at(each), tensor); });
    if (first == alike.end()) {
      alike.push_back(name);
      continue;
    }
    for (Node* user : editor.users(name)) {
      for (size_t i = 0; i < user->inputs.size(); ++i) {
        if (user->inputs[i] == name) editor.set_input(*user, i, *first);
      }
    }
  }
  editor.finish();
}

}  // namespace embedforge::passes
