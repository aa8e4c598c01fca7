// Takes: parts of a Graph. Gives: their protobuf messages, which borrow the tensors' bytes. Never:
// writes files.
#pragma once

#include "graph/graph.h"
#include "graph/wire.h"

namespace embedforge {

/// `padding`: bytes of a doc_string that go before the data, 0 or at least 2 (its tag and length
/// included).
Message tensor_message(const std::string& name, const Tensor& tensor, size_t padding);
/// A TensorProto whose data are at `offset` of `file`.
Message external_tensor_message(const std::string& name, const Tensor& tensor,
                                const std::string& file, uint64_t offset);
Message value_message(const ValueInfo& value);
Message node_message(const Node& node);
/// Everything of a graph but its initializers.
Message graph_message_without_initializers(const Graph& graph);

}  // namespace embedforge
