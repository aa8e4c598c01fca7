// Takes: a graph. Gives: what each of its values is: a constant, something that is known for a few
// probes (shapes, masks, positions), or a view of an expression. Never: emits steps or changes
// nodes.
//
// One walk in topological order. A value that depends only on the integer inputs is computed for
// the probes; every other value is a view of an expression, and each operator says what it makes of
// the forms of its inputs. docs/recognize.md follows one attention through it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "recognize/form.h"
#include "recognize/probe.h"

namespace embedforge::recognize {

/// The form of each output of the graph.
std::map<std::string, Form> recognize(const Graph& graph, const std::vector<Probe>& probes);

}  // namespace embedforge::recognize
