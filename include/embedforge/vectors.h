// Vectors as values, and what can be done with them without a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace embedforge {

/// Row-major floats.
struct Matrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<float> values;

  std::span<const float> row(size_t i) const { return {values.data() + i * columns, columns}; }
  std::span<float> row(size_t i) { return {values.data() + i * columns, columns}; }
};

/// What a vector's values are stored as.
enum class VectorType { kFloat32, kInt8, kUint8, kBinary, kUbinary };

/// "float32", "int8", "uint8", "binary", "ubinary"; vector_type_of throws kUsage for other names.
const char* vector_type_name(VectorType type);
VectorType vector_type_of(const std::string& name);
/// Bytes of a row of `dimension` values.
size_t vector_bytes(VectorType type, size_t dimension);

/// Row-major bytes: int8_t for kInt8 and kBinary, uint8_t for kUint8 and kUbinary.
struct ByteMatrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<uint8_t> values;
};

/// The smallest and largest value of each dimension.
struct VectorRanges {
  std::vector<float> least, greatest;
};
VectorRanges vector_ranges(const Matrix& vectors);

/// As quantize_embeddings of sentence-transformers. kUint8: floor(255 (x - least) / (greatest -
/// least)) in 0..255; kInt8: that minus 128; kUbinary: a bit for each value, set when it is
/// positive, the first dimension in the highest bit; kBinary: that minus 128.
///
/// Integers are only comparable with others of the same ranges: take those of a sample of the
/// corpus once (vector_ranges) and use them for documents and queries. Without ranges those of the
/// given vectors are taken. Errors: kUsage for kFloat32, or ranges of another dimension.
ByteMatrix quantize_vectors(const Matrix& vectors, VectorType type,
                            const VectorRanges* ranges = nullptr);

/// Cuts every row to its first `dimensions` values (0: all), then scales it to length 1 if
/// `normalize`.
void cut_and_normalize(Matrix& vectors, size_t dimensions, bool normalize);

}  // namespace embedforge
