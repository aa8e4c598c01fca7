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

/// {"text": ..., "embedding": [...]}, floats with the fewest digits that read back the same.
std::string json_line(const std::string& text, std::span<const float> row) {
  std::string line = R"({"text":)" + nlohmann::json(text).dump() + R"(,"embedding":[)";
  for (size_t j = 0; j < row.size(); ++j) {
    if (j > 0) line += ',';
    fmt::format_to(std::back_inserter(line), "{}", row[j]);
  }
  return line + "]}\n";
}

class JsonSink : public VectorSink {
 public:
  explicit JsonSink(const std::string& path) {
    if (path != "-") file_.emplace(path);
  }
  void write(std::span<const std::string> texts, const Matrix& vectors) override {
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string line = json_line(texts[i], vectors.row(i));
      if (file_) {
        file_->write(line);
      } else {
        print(line);
      }
    }
  }
  void finish() override {
    if (file_) file_->commit();
  }

 private:
  std::optional<AtomicFile> file_;
};

/// Format 1.0 of numpy.lib.format: magic, version, header length, a Python dict padded to a
/// multiple of 64, the data. The number of rows is known last, so the header has room for any.
class NpySink : public VectorSink {
 public:
  NpySink(const std::string& path, size_t dimension) : file_(path), dimension_(dimension) {
    file_.write(header(0));
  }
  void write(std::span<const std::string> /*texts*/, const Matrix& vectors) override {
    file_.write(std::as_bytes(std::span(vectors.values)));
    rows_ += vectors.rows;
  }
  void finish() override {
    file_.overwrite(0, header(rows_));
    file_.commit();
  }

 private:
  std::string header(size_t rows) const {
    constexpr size_t kSize = 128;
    constexpr size_t kPrefix = 10;
    const std::string dict = fmt::format(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, dimension_);
    std::string text("\x93NUMPY\x01\x00", 8);
    text += static_cast<char>(kSize - kPrefix);
    text += '\0';
    text += dict;
    text.resize(kSize - 1, ' ');
    return text + '\n';
  }
  AtomicFile file_;
  size_t dimension_;
  size_t rows_ = 0;
};

}  // namespace

std::unique_ptr<VectorSink> open_sink(const std::string& path, size_t dimension) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (path == "-" || extension == ".jsonl") return std::make_unique<JsonSink>(path);
  if (extension == ".npy") return std::make_unique<NpySink>(path, dimension);
  throw_usage("--output " + path +
              ": must end in .npy or .jsonl, or be - for JSON lines on stdout");
}

}  // namespace embedforge::app
