// Takes: shapes and tensors of a checkpoint. Gives: checked byte counts, float32 copies and
// transposes, texts for messages. Never: overflows or reads past a tensor's bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// Product of dims times `element`. Errors: kBadInput beginning with `where` when a size is
/// negative or the product too large.
uint64_t checked_byte_count(const std::vector<int64_t>& dims, size_t element,
                            const std::string& where);

/// "[384, 1536]"
std::string dims_text(const std::vector<int64_t>& dims);

/// The tensor itself when it is kFloat, else its elements as float32 (from kFloat16, kBfloat16 or
/// kDouble). Errors: kNotSupported with `name` for other types.
Tensor to_float32(const Tensor& tensor, const std::string& name);

/// [rows, columns] -> [columns, rows], float32.
Tensor transposed(const Tensor& tensor);

/// Every element times `factor` plus `offset`, float32.
Tensor scaled(const Tensor& tensor, float factor, float offset = 0);

}  // namespace embedforge
