#include "embedforge/vectors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr std::array<std::pair<VectorType, const char*>, 5> kNames = {
    {{VectorType::kFloat32, "float32"},
     {VectorType::kInt8, "int8"},
     {VectorType::kUint8, "uint8"},
     {VectorType::kBinary, "binary"},
     {VectorType::kUbinary, "ubinary"}}};

void scale_to_unit_length(std::span<float> row) {
  double squares = 0;
  for (const float x : row) squares += static_cast<double>(x) * x;
  const double norm = std::sqrt(squares);
  if (norm < 1e-12) return;
  for (float& x : row) x = static_cast<float>(x / norm);
}

uint8_t packed_bits(std::span<const float> row, size_t byte) {
  unsigned bits = 0;
  for (size_t i = 8 * byte; i < 8 * byte + 8; ++i)
    bits = (bits << 1U) | (i < row.size() && row[i] > 0 ? 1U : 0U);
  return static_cast<uint8_t>(bits);
}

}  // namespace

const char* vector_type_name(VectorType type) {
  const auto* found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& p) { return p.first == type; });
  return found->second;
}

VectorType vector_type_of(const std::string& name) {
  const auto* found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& p) { return p.second == name; });
  if (found == kNames.end())
    throw_usage("precision=\"" + name +
                "\" is unknown; known are float32, int8, uint8, binary, ubinary");
  return found->first;
}

size_t vector_bytes(VectorType type, size_t dimension) {
  if (type == VectorType::kFloat32) return dimension * sizeof(float);
  const bool bits = type == VectorType::kBinary || type == VectorType::kUbinary;
  return bits ? (dimension + 7) / 8 : dimension;
}

VectorRanges vector_ranges(const Matrix& vectors) {
  VectorRanges ranges{std::vector<float>(vectors.columns, 0),
                      std::vector<float>(vectors.columns, 0)};
  for (size_t r = 0; r < vectors.rows; ++r) {
    const std::span<const float> row = vectors.row(r);
    for (size_t i = 0; i < row.size(); ++i) {
      ranges.least[i] = r == 0 ? row[i] : std::min(ranges.least[i], row[i]);
      ranges.greatest[i] = r == 0 ? row[i] : std::max(ranges.greatest[i], row[i]);
    }
  }
  return ranges;
}

ByteMatrix quantize_vectors(const Matrix& vectors, VectorType type, const VectorRanges* ranges) {
  if (type == VectorType::kFloat32) throw_usage("precision float32 needs no quantization");
  ByteMatrix out{vectors.rows, vector_bytes(type, vectors.columns), {}};
  out.values.reserve(out.rows * out.columns);
  if (type == VectorType::kBinary || type == VectorType::kUbinary) {
    const unsigned sign = type == VectorType::kBinary ? 0x80U : 0;  // minus 128, modulo 256
    for (size_t r = 0; r < vectors.rows; ++r) {
      for (size_t byte = 0; byte < out.columns; ++byte)
        out.values.push_back(static_cast<uint8_t>(packed_bits(vectors.row(r), byte) ^ sign));
    }
    return out;
  }
  const VectorRanges own = ranges == nullptr ? vector_ranges(vectors) : VectorRanges{};
  const VectorRanges& used = ranges == nullptr ? own : *ranges;
  if (used.least.size() != vectors.columns || used.greatest.size() != vectors.columns) {
    throw_usage("the ranges have " + std::to_string(used.least.size()) +
                " dimensions, the vectors " + std::to_string(vectors.columns));
  }
  const unsigned sign = type == VectorType::kInt8 ? 0x80U : 0;
  for (size_t r = 0; r < vectors.rows; ++r) {
    for (size_t i = 0; i < vectors.columns; ++i) {
      float step = (used.greatest[i] - used.least[i]) / 255;
      if (step == 0) step = 1;
      const float level = std::floor((vectors.row(r)[i] - used.least[i]) / step);
      const auto byte = static_cast<uint8_t>(std::clamp(level, 0.0F, 255.0F));
      out.values.push_back(static_cast<uint8_t>(byte ^ sign));
    }
  }
  return out;
}

void cut_and_normalize(Matrix& vectors, size_t dimensions, bool normalize) {
  const size_t columns = dimensions == 0 ? vectors.columns : dimensions;
  if (columns > vectors.columns) {
    throw_usage("dimensions=" + std::to_string(columns) + " is more than the model's " +
                std::to_string(vectors.columns));
  }
  if (columns < vectors.columns) {
    for (size_t r = 0; r < vectors.rows; ++r)
      std::copy_n(vectors.values.data() + r * vectors.columns, columns,
                  vectors.values.data() + r * columns);
    vectors.values.resize(vectors.rows * columns);
    vectors.columns = columns;
  }
  if (!normalize) return;
  for (size_t r = 0; r < vectors.rows; ++r) scale_to_unit_length(vectors.row(r));
}

}  // namespace embedforge
