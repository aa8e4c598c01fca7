// Takes: the graph of an encoder, from any exporter. Gives: the short program that computes the
// same. Never: guesses. A node that doesn't fit is an error that names the node and the reason.
#pragma once

#include "graph/graph.h"
#include "plan/program.h"

namespace embedforge {

/// Recognizes the encoder by its structure (not by names or a stated architecture).
/// Errors: kNotSupported, with the node's name, its operator and why the native engine can't run
/// it.
Program raise(const Graph& graph);

}  // namespace embedforge
