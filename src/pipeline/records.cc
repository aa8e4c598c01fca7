#include "pipeline/records.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/byte_order_mark.h"

namespace embedforge {
namespace {

std::string too_long(const char* what, size_t most) {
  return fmt::format("{} longer than {} bytes (--max-line)", what, most);
}

}  // namespace

std::string LineReader::reason() const { return too_long("a line", max_line_); }

Found LineReader::next() {
  size_t searched = 0;
  bool skipped = false;  // the beginning of a line that is too long
  while (true) {
    const std::string_view view = bytes_.view();
    const size_t end = view.find('\n', searched);
    if (end == std::string_view::npos && view.size() <= max_line_) {
      searched = view.size();
      if (bytes_.more()) continue;
      if (view.empty() && !skipped) return Found::kEnd;
    }
    if (end == std::string_view::npos && view.size() > max_line_) {
      bytes_.skip(view.size());
      searched = 0;
      skipped = true;
      continue;
    }
    const size_t size = std::min(end, bytes_.view().size());
    const bool broken = skipped || size > max_line_;
    if (!broken) {
      line_ = bytes_.view().substr(0, size);
      if (line_.ends_with('\r')) line_.pop_back();
      if (bytes_.offset() == 0) line_ = without_byte_order_mark(line_);
    }
    bytes_.skip(size + (end == std::string_view::npos ? 0 : 1));
    ++lines_;
    return broken ? Found::kBroken : Found::kRecord;
  }
}

std::string& CsvReader::next_field() {
  if (count_ == fields_.size()) fields_.emplace_back();
  std::string& field = fields_[count_++];
  field.clear();
  return field;
}

CsvReader::Parsed CsvReader::parse(std::string_view text, bool at_end) {
  count_ = 0;
  newlines_ = 0;
  size_t at = bytes_.offset() == 0 && text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  const auto unfinished = [&](const char* what) {
    if (!at_end) return Parsed::kNeedsMore;
    reason_ = what;
    return Parsed::kBroken;
  };
  while (true) {
    std::string& field = next_field();
    if (at < text.size() && text[at] == '"') {
      for (++at;;) {
        const size_t quote = text.find('"', at);
        const std::string_view part = text.substr(at, quote - at);
        newlines_ += static_cast<uint64_t>(std::ranges::count(part, '\n'));
        field += part;
        if (quote == std::string_view::npos) return unfinished("a quote that never closes");
        at = quote + 1;
        if (at == text.size() && !at_end) return Parsed::kNeedsMore;
        if (at == text.size() || text[at] != '"') break;
        field += '"';
        ++at;
      }
    } else {
      size_t end = at;
      while (end < text.size() && text[end] != delimiter_ && text[end] != '\n') ++end;
      field = text.substr(at, end - at);
      if (end < text.size() && text[end] == '\n' && field.ends_with('\r')) field.pop_back();
      at = end;
    }
    if (at < text.size() && text[at] == delimiter_) {
      ++at;
      continue;
    }
    if (text.substr(at).starts_with("\r\n")) ++at;
    if (at == text.size() || text.substr(at) == "\r") {
      if (!at_end) return Parsed::kNeedsMore;
      size_ = text.size();
      return Parsed::kWhole;
    }
    if (text[at] == '\n') {
      ++newlines_;
      size_ = at + 1;
      return Parsed::kWhole;
    }
    reason_ = fmt::format("text behind the closing quote of field {}", count_);
    return Parsed::kBroken;
  }
}

void CsvReader::skip_line(bool at_end) {
  while (true) {
    const size_t end = bytes_.view().find('\n');
    if (end != std::string_view::npos) {
      bytes_.skip(end + 1);
      break;
    }
    bytes_.skip(bytes_.view().size());
    if (at_end || !bytes_.more()) break;
  }
  ++lines_;
}

/// The record at the start of the view, which stays there.
Found CsvReader::find(bool& at_end) {
  size_t wanted = 1;  // bytes that make another try worth it: each reads the record from its start
  while (true) {
    const std::string_view view = bytes_.view();
    if (view.size() < wanted && !at_end) {
      at_end = !bytes_.more();
      continue;
    }
    if (view.empty()) return Found::kEnd;
    size_ = 0;
    Parsed parsed = parse(view, at_end);
    if (parsed == Parsed::kNeedsMore && view.size() <= max_record_) {
      wanted = std::min(2 * view.size(), max_record_ + 1);
      continue;
    }
    if (parsed == Parsed::kNeedsMore || size_ > max_record_) {
      reason_ = too_long("a row", max_record_) + "; or a quote that never closes";
      parsed = Parsed::kBroken;
    }
    fields_.resize(count_);
    return parsed == Parsed::kWhole ? Found::kRecord : Found::kBroken;
  }
}

Found CsvReader::peek() {
  bool at_end = false;
  return find(at_end);
}

Found CsvReader::next() {
  while (true) {
    bool at_end = false;
    const Found found = find(at_end);
    began_ = lines_;
    if (found == Found::kBroken) skip_line(at_end);
    if (found != Found::kRecord) return found;
    bytes_.skip(size_);
    lines_ += std::max<uint64_t>(newlines_, 1);
    const bool blank = count_ == 1 && fields_[0].empty();
    if (!blank) return Found::kRecord;
  }
}

}  // namespace embedforge
