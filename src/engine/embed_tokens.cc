#include "engine/embed_tokens.h"

#include <cstring>

#include "graph/tensor.h"

namespace embedforge {
namespace {

/// `counted`: tokens before this one that have a position of their own.
int64_t row_of(const EmbedStep::Table& t, const TokenBatch& batch, const TileSequence& s, size_t i,
               int64_t& counted) {
  const size_t token = s.first + i;
  switch (t.source) {
    case EmbedStep::Source::kTokenId:
      return batch.ids[token];
    case EmbedStep::Source::kPosition:
      return batch.ids[token] == t.padding_id ? t.padding_row : counted++ + t.offset;
    case EmbedStep::Source::kTokenType:
      break;
  }
  // One row serves every type: exporters fold the type into a vector.
  return batch.type_ids.empty() || t.rows.dims[0] == 1 ? 0 : batch.type_ids[token];
}

/// Row `row` as floats: a pointer into the table, or `space` filled from what it stores.
const float* row_values(const EmbedStep::Table& t, size_t row, size_t width,
                        std::vector<float>& space) {
  const std::span<const std::byte> bytes = t.rows.bytes;
  if (t.rows.type == DataType::kFloat) return t.rows.as<float>().data() + row * width;
  space.resize(width);
  if (!t.scales.empty()) {
    const bool per_row = t.scales.size() > 1;
    const float scale = t.scales[per_row ? row : 0];
    const int32_t zero =
        t.zero_points.empty() ? 0 : t.zero_points[t.zero_points.size() > 1 ? row : 0];
    const auto* q = reinterpret_cast<const uint8_t*>(bytes.data()) + row * width;
    const bool is_unsigned = t.rows.type == DataType::kUint8;
    for (size_t i = 0; i < width; ++i) {
      const int value = is_unsigned ? q[i] : static_cast<int8_t>(q[i]);
      space[i] = scale * static_cast<float>(value - zero);
    }
    return space.data();
  }
  const size_t row_bytes = width * element_size(t.rows.type);
  const Tensor part{t.rows.type,
                    {static_cast<int64_t>(width)},
                    bytes.subspan(row * row_bytes, row_bytes),
                    nullptr};
  space = to_floats(part);
  return space.data();
}

}  // namespace

void embed_tokens(const EmbedStep& step, const kernels::KernelTable& table, const TokenBatch& batch,
                  const TileSequence& sequence, float* out) {
  const size_t width = step.width;
  std::vector<float> space;
  std::vector<int64_t> counted(step.tables.size(), 0);
  for (size_t i = 0; i < sequence.length; ++i, out += width) {
    bool first = true;
    for (const EmbedStep::Table& t : step.tables) {
      int64_t& before = counted[static_cast<size_t>(&t - step.tables.data())];
      const auto at = static_cast<size_t>(row_of(t, batch, sequence, i, before));
      const float* row = row_values(t, at, width, space);
      if (first) {
        std::memcpy(out, row, width * sizeof(float));
      } else {
        table.add(out, row, out, width);
      }
      first = false;
    }
  }
}

}  // namespace embedforge
