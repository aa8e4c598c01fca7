// Takes: a checkpoint's tensors and one text's token ids. Gives: the encoder's hidden states,
// computed from the formulas in double precision. Never: is fast, or shares code with the graph or
// the engine that it is compared to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "convert/bert.h"

namespace embedforge {

/// last_hidden_state: [ids.size(), hidden], all tokens of type 0. `weights` are those of
/// bert_weights(). Errors: kBadInput for an id or a length beyond the tables.
std::vector<double> bert_reference(const BertConfig& config, const TensorMap& weights,
                                   std::span<const int32_t> ids);

}  // namespace embedforge
