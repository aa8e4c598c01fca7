// Takes: an .onnx file (any exporter, external data beside it, any size). Gives: it as a Graph
// whose tensors view the mapped file. Never: trusts a size that the file claims, reads outside of
// the model's folder, or runs anything.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "graph/graph.h"

namespace embedforge {

/// Nodes come in topological order, names of the default domain as "", inputs without those that
/// are initializers. Errors: kBadInput (missing, damaged, cyclic, contradictory: with the file and
/// the node or tensor), kNotSupported (sparse initializers, element types and attribute types that
/// Graph can't hold).
Graph read_onnx(const std::filesystem::path& path);

/// The same from memory that `owner` keeps alive; external data is refused. `name` stands for the
/// path in messages.
Graph parse_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                 const std::string& name);

}  // namespace embedforge
