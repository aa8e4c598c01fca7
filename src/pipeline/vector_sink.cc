#include "pipeline/vector_sink.h"

#include <optional>
#include <utility>

#include "base/atomic_file.h"
#include "embedforge/error.h"
#include "pipeline/fields.h"

namespace embedforge {
namespace {

class JsonSink : public VectorSink {
 public:
  JsonSink(const std::string& path, std::function<void(std::string_view)> print)
      : print_(std::move(print)) {
    if (path != "-") file_.emplace(path);
  }
  void write(std::span<const std::string> texts, const Vectors& vectors) override {
    for (size_t i = 0; i < texts.size(); ++i) {
      std::string line = R"({"text":)" + json_string(texts[i]) + R"(,"embedding":)";
      append_json_row(vectors, i, line);
      line += "}\n";
      if (file_) {
        file_->write(line);
      } else {
        print_(line);
      }
    }
  }
  void finish() override {
    if (file_) file_->commit();
  }

 private:
  std::function<void(std::string_view)> print_;
  std::optional<AtomicFile> file_;
};

/// .npy, or raw numbers. The number of rows is known last, so a header has room for any.
class NumberSink : public VectorSink {
 public:
  NumberSink(const std::string& path, OutputFormat format, VectorType type, size_t columns)
      : file_(path), has_header_(format == OutputFormat::kNpy), type_(type), columns_(columns) {
    if (has_header_) file_.write(npy_header(type_, 0, columns_));
  }
  void write(std::span<const std::string> /*texts*/, const Vectors& vectors) override {
    std::string bytes;
    for (size_t i = 0; i < vectors.rows; ++i) append_raw_row(vectors, i, bytes);
    file_.write(bytes);
    columns_ = vectors.columns;
    rows_ += vectors.rows;
  }
  void finish() override {
    if (has_header_) file_.overwrite(0, npy_header(type_, rows_, columns_));
    file_.commit();
  }

 private:
  AtomicFile file_;
  bool has_header_;
  VectorType type_;
  size_t columns_, rows_ = 0;
};

}  // namespace

std::unique_ptr<VectorSink> open_sink(const std::string& path, VectorType type, size_t columns,
                                      std::function<void(std::string_view)> print) {
  const OutputFormat format = path == "-" ? OutputFormat::kJsonl : output_format_of(path);
  if (format == OutputFormat::kJsonl) return std::make_unique<JsonSink>(path, std::move(print));
  return std::make_unique<NumberSink>(path, format, type, columns);
}

}  // namespace embedforge
