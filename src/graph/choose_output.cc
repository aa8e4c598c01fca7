#include "graph/choose_output.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "embedforge/error.h"

namespace embedforge {
namespace {

/// First choice first. dense_vecs are bge-m3's.
constexpr std::array<std::string_view, 5> kKnown = {"last_hidden_state", "token_embeddings",
                                                    "sentence_embedding", "dense_vecs", "logits"};

/// What lies beside an embedding in the files of some exporters, and is none: BERT's pooler, the
/// caches of decoders, lexical weights and vectors of tokens.
bool is_something_else(std::string_view name) {
  return name == "pooler_output" || name.starts_with("present") || name.starts_with("past") ||
         name.starts_with("sparse") || name.starts_with("colbert");
}

std::string listed(std::span<const OutputInfo> outputs) {
  std::string names;
  for (const OutputInfo& output : outputs) names += (names.empty() ? "" : ", ") + output.name;
  return names.empty() ? "none" : names;
}

}  // namespace

size_t choose_output(std::span<const OutputInfo> outputs, const std::string& wanted,
                     const std::string& file) {
  const auto find = [&](std::string_view name) {
    return static_cast<size_t>(std::ranges::find(outputs, name, &OutputInfo::name) -
                               outputs.begin());
  };
  if (!wanted.empty()) {
    if (const size_t at = find(wanted); at < outputs.size()) return at;
    throw_usage(file + ": has no output \"" + wanted + "\"; its outputs: " + listed(outputs));
  }
  for (const std::string_view name : kKnown) {
    if (const size_t at = find(name); at < outputs.size()) return at;
  }
  // Vectors of tokens come before vectors of texts, since the folder's pooling applies to them.
  for (const size_t rank : {3U, 2U}) {
    std::vector<OutputInfo> found;
    for (const OutputInfo& output : outputs) {
      if (output.rank.value_or(rank) == rank && !is_something_else(output.name))
        found.push_back(output);
    }
    if (found.size() == 1) return find(found.front().name);
    if (found.size() > 1) {
      throw_not_supported(file + ": several outputs could be the embedding (" + listed(found) +
                          "); choose one with output_name (--output-name)");
    }
  }
  throw_not_supported(
      file + ": has no output of floats [batch, tokens, width] or [batch, width]; its outputs: " +
      listed(outputs));
}

std::vector<OutputInfo> output_infos(const Graph& graph) {
  std::vector<OutputInfo> out;
  out.reserve(graph.outputs.size());
  for (const ValueInfo& output : graph.outputs) {
    out.push_back({output.name, output.shape ? std::optional(output.shape->size()) : std::nullopt});
  }
  return out;
}

void keep_output(Graph& graph, const std::string& wanted, const std::string& file) {
  const ValueInfo chosen = graph.outputs[choose_output(output_infos(graph), wanted, file)];
  graph.outputs = {chosen};
}

}  // namespace embedforge
