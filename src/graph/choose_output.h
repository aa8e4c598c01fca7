// Takes: the outputs of a model's graph by name and rank. Gives: which one is the embedding. Never:
// guesses between several that could be meant.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "graph/graph.h"

namespace embedforge {

struct OutputInfo {
  std::string name;
  std::optional<size_t> rank;  // [batch, tokens, width] has 3; nullopt: the file doesn't say
};

/// The index of the output named `wanted`; where that is empty, of token embeddings, else of
/// sentence embeddings or logits, by the names that exporters give; else the only one that could be
/// either. Errors (beginning with `file`): kUsage when there is no output of that name,
/// kNotSupported when none or several could be meant; they are listed.
size_t choose_output(std::span<const OutputInfo> outputs, const std::string& wanted,
                     const std::string& file);

/// The outputs that a graph declares.
std::vector<OutputInfo> output_infos(const Graph& graph);

/// Leaves the graph with that output alone.
void keep_output(Graph& graph, const std::string& wanted, const std::string& file);

}  // namespace embedforge
