#include "vector_sink.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/atomic_file.h"
#include "embedforge/error.h"
#include "output.h"

namespace embedforge::app {
namespace {

/// {"text": ..., "embedding": [...]}; `number` writes the i-th. Floats have the fewest digits that
/// read back the same.
template <typename Number>
std::string json_line(const std::string& text, size_t columns, Number number) {
  std::string line = R"({"text":)" + nlohmann::json(text).dump() + R"(,"embedding":[)";
  for (size_t j = 0; j < columns; ++j) {
    if (j > 0) line += ',';
    fmt::format_to(std::back_inserter(line), "{}", number(j));
  }
  return line + "]}\n";
}

bool is_signed(VectorType type) { return type == VectorType::kInt8 || type == VectorType::kBinary; }

class JsonSink : public VectorSink {
 public:
  JsonSink(const std::string& path, VectorType type) : type_(type) {
    if (path != "-") file_.emplace(path);
  }
  void write(std::span<const std::string> texts, const Matrix& vectors) override {
    for (size_t i = 0; i < texts.size(); ++i)
      put(json_line(texts[i], vectors.columns, [&](size_t j) { return vectors.row(i)[j]; }));
  }
  void write(std::span<const std::string> texts, const ByteMatrix& vectors) override {
    for (size_t i = 0; i < texts.size(); ++i) {
      const uint8_t* row = vectors.values.data() + i * vectors.columns;
      put(json_line(texts[i], vectors.columns, [&](size_t j) {
        return is_signed(type_) ? static_cast<int>(static_cast<int8_t>(row[j])) : int{row[j]};
      }));
    }
  }
  void finish() override {
    if (file_) file_->commit();
  }

 private:
  void put(const std::string& line) {
    if (file_) {
      file_->write(line);
    } else {
      print(line);
    }
  }
  VectorType type_;
  std::optional<AtomicFile> file_;
};

/// Format 1.0 of numpy.lib.format: magic, version, header length, a Python dict padded to a
/// multiple of 64, the data. The number of rows is known last, so the header has room for any.
class NpySink : public VectorSink {
 public:
  NpySink(const std::string& path, VectorType type, size_t columns)
      : file_(path), type_(type), columns_(columns) {
    file_.write(header());
  }
  void write(std::span<const std::string> /*texts*/, const Matrix& vectors) override {
    add(vectors.rows, vectors.columns, std::as_bytes(std::span(vectors.values)));
  }
  void write(std::span<const std::string> /*texts*/, const ByteMatrix& vectors) override {
    add(vectors.rows, vectors.columns, std::as_bytes(std::span(vectors.values)));
  }
  void finish() override {
    file_.overwrite(0, header());
    file_.commit();
  }

 private:
  void add(size_t rows, size_t columns, std::span<const std::byte> bytes) {
    columns_ = columns;
    rows_ += rows;
    file_.write(bytes);
  }
  std::string header() const {
    constexpr size_t kSize = 128;
    constexpr size_t kPrefix = 10;
    const char* number = type_ == VectorType::kFloat32 ? "<f4" : is_signed(type_) ? "|i1" : "|u1";
    const std::string dict = fmt::format(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}", number, rows_, columns_);
    std::string text("\x93NUMPY\x01\x00", 8);
    text += static_cast<char>(kSize - kPrefix);
    text += '\0';
    text += dict;
    text.resize(kSize - 1, ' ');
    return text + '\n';
  }
  AtomicFile file_;
  VectorType type_;
  size_t columns_;
  size_t rows_ = 0;
};

}  // namespace

std::unique_ptr<VectorSink> open_sink(const std::string& path, VectorType type, size_t columns) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (path == "-" || extension == ".jsonl") return std::make_unique<JsonSink>(path, type);
  if (extension == ".npy") return std::make_unique<NpySink>(path, type, columns);
  throw_usage("--output " + path +
              ": must end in .npy or .jsonl, or be - for JSON lines on stdout");
}

}  // namespace embedforge::app
