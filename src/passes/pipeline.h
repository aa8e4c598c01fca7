// Takes: a graph. Gives: one that computes the same outputs with fewer, larger operators. Never:
// touches files, changes inputs or outputs, or keeps a graph that verify() refuses.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "embedforge/model.h"
#include "graph/graph.h"

namespace embedforge {

/// One rewriting: a function from graph to graph, changed in place.
struct Pass {
  const char* name;
  OptimizeLevel level;  // the lowest that runs it
  const char* intent;
  void (*run)(Graph&);
};

/// In the order in which they run.
std::span<const Pass> pass_list();

/// Error: kUsage for a name that no pass has.
void check_pass_names(const std::vector<std::string>& names);

/// Runs the passes of `options.level` until none changes anything, and verifies after each. `what`
/// stands for the graph in messages. Errors: kUsage (a pass to disable that there isn't),
/// kBadInput (the graph isn't valid), kBug (a pass made an invalid graph).
std::vector<PassReport> optimize(Graph& graph, const OptimizeOptions& options,
                                 const std::string& what);

}  // namespace embedforge
