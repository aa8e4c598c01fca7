#include "passes/columns.h"

#include <cstring>
#include <memory>

#include "graph/tensor.h"

namespace embedforge::passes {

Tensor side_by_side(std::span<const Columns> parts, DataType type, std::vector<int64_t> dims) {
  const size_t element = element_size(type);
  size_t rows = 1;
  for (const int64_t dim : dims) rows *= static_cast<size_t>(dim);
  int64_t width = 0;
  for (const Columns& part : parts) width += part.count;
  dims.push_back(width);
  const size_t stride = static_cast<size_t>(width) * element;
  const auto buffer = std::make_shared<std::vector<uint64_t>>((rows * stride + 7) / 8);
  auto* const data = reinterpret_cast<std::byte*>(buffer->data());
  size_t at = 0;
  for (const Columns& part : parts) {
    const size_t bytes = static_cast<size_t>(part.count) * element;
    if (part.tensor != nullptr) {
      const size_t from_stride = static_cast<size_t>(part.tensor->dims.back()) * element;
      const std::byte* from = part.tensor->bytes.data() + static_cast<size_t>(part.first) * element;
      for (size_t row = 0; row < rows; ++row) {
        std::memcpy(data + row * stride + at, from + row * from_stride, bytes);
      }
    }
    at += bytes;
  }
  return {type, std::move(dims), std::span<const std::byte>(data, rows * stride), buffer};
}

}  // namespace embedforge::passes
