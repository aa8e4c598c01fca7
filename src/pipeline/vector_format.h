// Takes: vectors. Gives: their bytes in a file: .npy, raw numbers, JSON lines. Never: writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "embedforge/vectors.h"

namespace embedforge {

enum class OutputFormat { kNpy, kRaw, kJsonl };

/// By the extension: .npy, .raw or .bin, .jsonl. Errors: kUsage for another one; kNotSupported for
/// .parquet and .arrow, with who writes them.
OutputFormat output_format_of(const std::string& path);

/// Vectors of any type: the numbers of a row, one row after another.
struct Vectors {
  VectorType type = VectorType::kFloat32;
  size_t rows = 0, columns = 0;
  std::vector<float> floats;   // of kFloat32
  std::vector<uint8_t> bytes;  // of the others
};

/// `ranges`: of kInt8 and kUint8.
Vectors typed_vectors(Matrix&& vectors, VectorType type, const VectorRanges* ranges);

/// Format 1.0 of numpy.lib.format, of kNpyHeaderSize bytes whatever the number of rows.
std::string npy_header(VectorType type, uint64_t rows, size_t columns);
inline constexpr size_t kNpyHeaderSize = 128;

/// The ranges in a .npy of [2, d] float32: the least values, then the greatest (what
/// embedforge.vector_ranges gives in Python). Errors: kBadInput with the path.
VectorRanges read_ranges(const std::string& path);

/// Little-endian numbers of row `i`.
void append_raw_row(const Vectors& vectors, size_t i, std::string& out);
/// "[0.25,...]" of row `i`; floats have the fewest digits that read back the same.
void append_json_row(const Vectors& vectors, size_t i, std::string& out);

}  // namespace embedforge
