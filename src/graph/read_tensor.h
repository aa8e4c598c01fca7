// Takes: one TensorProto. Gives: a Tensor that views its bytes where alignment allows. Never:
// allocates more than the message holds.
#pragma once

#include <memory>
#include <protozero/pbf_reader.hpp>
#include <string>

#include "graph/external_data.h"
#include "graph/graph.h"

namespace embedforge {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// `owner` keeps the message's bytes alive. `model` and `where` ("initializer", "node 'x'") name
/// the place in errors.
NamedTensor read_tensor(protozero::pbf_reader message, const std::shared_ptr<const void>& owner,
                        ExternalData& external, const std::string& model, const std::string& where);

}  // namespace embedforge
