#include "pipeline/vector_format.h"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "base/mapped_file.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

bool has_sign(VectorType type) { return type == VectorType::kInt8 || type == VectorType::kBinary; }

}  // namespace

OutputFormat output_format_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".npy") return OutputFormat::kNpy;
  if (extension == ".raw" || extension == ".bin") return OutputFormat::kRaw;
  if (extension == ".jsonl") return OutputFormat::kJsonl;
  if (extension == ".parquet" || extension == ".arrow" || extension == ".feather") {
    throw_not_supported(path + ": the command doesn't write " + extension.substr(1) +
                        "; Python does, with pyarrow: embedforge.embed_file(model, input, output)");
  }
  throw_usage(path + ": the output's name must end in .npy, .jsonl, .raw or .bin");
}

Vectors typed_vectors(Matrix&& vectors, VectorType type, const VectorRanges* ranges) {
  if (type == VectorType::kFloat32)
    return {type, vectors.rows, vectors.columns, std::move(vectors.values), {}};
  ByteMatrix bytes = quantize_vectors(vectors, type, ranges);
  return {type, bytes.rows, bytes.columns, {}, std::move(bytes.values)};
}

std::string npy_header(VectorType type, uint64_t rows, size_t columns) {
  constexpr size_t kPrefix = 10;
  const char* number = type == VectorType::kFloat32 ? "<f4" : has_sign(type) ? "|i1" : "|u1";
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(kNpyHeaderSize - kPrefix);
  text += '\0';
  text += fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}", number,
                      rows, columns);
  text.resize(kNpyHeaderSize - 1, ' ');
  return text + '\n';
}

VectorRanges read_ranges(const std::string& path) {
  const MappedFile file = MappedFile::open(path);
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()),
                               file.bytes().size());
  const auto fail = [&path] {
    throw_bad_input(path +
                    ": isn't a .npy of float32 with two rows, the least and the greatest values; "
                    "numpy.save(FILE, embedforge.vector_ranges(vectors)) writes one");
  };
  size_t columns = 0;
  size_t start = 0;
  if (bytes.size() < 12 || !bytes.starts_with("\x93NUMPY\x01")) fail();
  start = 10 + static_cast<uint8_t>(bytes[8]) +
          256 * static_cast<size_t>(static_cast<uint8_t>(bytes[9]));
  const std::string head(bytes.substr(10, start - 10));
  const size_t shape = head.find("'shape': (2, ");
  if (start > bytes.size() || head.find("'<f4'") == std::string::npos ||
      head.find("'fortran_order': False") == std::string::npos || shape == std::string::npos)
    fail();
  columns = std::strtoull(head.c_str() + shape + 13, nullptr, 10);
  if (columns == 0 || columns > bytes.size() || bytes.size() - start != 2 * columns * sizeof(float))
    fail();
  VectorRanges ranges{std::vector<float>(columns), std::vector<float>(columns)};
  std::memcpy(ranges.least.data(), bytes.data() + start, columns * sizeof(float));
  std::memcpy(ranges.greatest.data(), bytes.data() + start + columns * sizeof(float),
              columns * sizeof(float));
  return ranges;
}

void append_raw_row(const Vectors& vectors, size_t i, std::string& out) {
  const auto* floats = reinterpret_cast<const char*>(vectors.floats.data());
  const auto* bytes = reinterpret_cast<const char*>(vectors.bytes.data());
  const bool is_float = vectors.type == VectorType::kFloat32;
  const size_t size = vectors.columns * (is_float ? sizeof(float) : 1);
  out.append((is_float ? floats : bytes) + i * size, size);
}

void append_json_row(const Vectors& vectors, size_t i, std::string& out) {
  out += '[';
  for (size_t j = 0; j < vectors.columns; ++j) {
    if (j > 0) out += ',';
    const size_t at = i * vectors.columns + j;
    if (vectors.type == VectorType::kFloat32) {
      fmt::format_to(std::back_inserter(out), "{}", vectors.floats[at]);
    } else {
      const uint8_t byte = vectors.bytes[at];
      fmt::format_to(std::back_inserter(out), "{}",
                     has_sign(vectors.type) ? int{static_cast<int8_t>(byte)} : int{byte});
    }
  }
  out += ']';
}

}  // namespace embedforge
