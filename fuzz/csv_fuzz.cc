// Any bytes as CSV, and as lines: rows whatever the pieces that they come in, and every byte is
// passed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "pipeline/records.h"

namespace {

class Pieces : public embedforge::ByteSource {
 public:
  Pieces(std::string_view text, size_t size) : text_(text), size_(size) {}
  size_t read(std::span<char> buffer) override {
    const size_t n = std::min({size_, buffer.size(), text_.size() - at_});
    std::copy_n(text_.data() + at_, n, buffer.data());
    at_ += n;
    return n;
  }
  uint64_t consumed() const override { return at_; }
  bool seek(uint64_t /*offset*/) override { return false; }

 private:
  std::string_view text_;
  size_t size_, at_ = 0;
};

constexpr size_t kMost = 300;

std::string rows_in_pieces(std::string_view text, size_t piece) {
  embedforge::BufferedBytes bytes(std::make_unique<Pieces>(text, piece));
  embedforge::CsvReader reader(bytes, ',', kMost);
  std::string out;
  for (auto found = reader.next(); found != embedforge::Found::kEnd; found = reader.next()) {
    out += std::to_string(reader.line_number());
    if (found == embedforge::Found::kBroken) {
      out += "!\n";
      continue;
    }
    for (const std::string& field : reader.fields()) out += "|" + field;
    out += '\n';
  }
  if (reader.place().offset != text.size()) std::abort();
  return out;
}

std::string lines_in_pieces(std::string_view text, size_t piece) {
  embedforge::BufferedBytes bytes(std::make_unique<Pieces>(text, piece));
  embedforge::LineReader reader(bytes, kMost);
  std::string out;
  for (auto found = reader.next(); found != embedforge::Found::kEnd; found = reader.next())
    out +=
        found == embedforge::Found::kBroken ? std::string("!") : std::string(reader.line()) + "\n";
  if (reader.place().offset != text.size()) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), std::min<size_t>(size, 4000));
  if (rows_in_pieces(text, 1) != rows_in_pieces(text, 1 << 20)) std::abort();
  if (lines_in_pieces(text, 3) != lines_in_pieces(text, 1 << 20)) std::abort();
  return 0;
}
