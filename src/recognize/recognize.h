// Takes: a graph. Gives: what each of its values is: a constant, something that is known for a few
// probes (shapes, masks, positions), or a view of an expression. Never: emits steps or changes
// nodes.
//
// One walk in topological order. A value that depends only on the integer inputs is computed for
// the probes; every other value is a view of an expression, and each operator says what it makes of
// the forms of its inputs. docs/recognize.md follows one attention through it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "recognize/form.h"
#include "recognize/probe.h"

namespace embedforge::recognize {

/// The forms of the graph's outputs, among others.
std::map<std::string, Form> recognize(const Graph& graph, const std::vector<Probe>& probes);

/// How a value lies; nullopt when that isn't known.
using ViewOf = std::function<std::optional<View>(const std::string& value)>;
/// The forms of all values, for who rewrites the graph: what isn't understood, or what is rounded
/// (another type, a quantization), is Given; attention may be of any mask.
std::map<std::string, Form> recognize_all(const Graph& graph, const std::vector<Probe>& probes,
                                          const ViewOf& view_of);

}  // namespace embedforge::recognize
