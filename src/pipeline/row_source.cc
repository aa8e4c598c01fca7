#include "pipeline/row_source.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

std::optional<InputFormat> format_named(const std::string& name) {
  if (name == "jsonl" || name == "ndjson") return InputFormat::kJsonl;
  if (name == "csv") return InputFormat::kCsv;
  if (name == "tsv" || name == "tab") return InputFormat::kTsv;
  if (name == "txt" || name == "text") return InputFormat::kText;
  return std::nullopt;
}

InputFormat format_of_file(const std::string& path) {
  std::filesystem::path name = path;
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  std::string extension = name.extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  if (const auto format = format_named(extension)) return *format;
  if (extension == "parquet" || extension == "arrow" || extension == "feather") {
    throw_not_supported(path + ": the command doesn't read " + extension +
                        "; Python does, with pyarrow: embedforge.embed_file(model, input, output)");
  }
  if (path == "-")
    throw_usage("standard input: say with --input-format what it is: jsonl, csv, tsv or txt");
  throw_usage(path + ": is it jsonl, csv, tsv or txt? Say so with --input-format");
}

/// The files that a pattern matches; the path itself where it is one.
std::vector<std::string> matching(const std::string& path) {
  std::error_code ignored;
  if (path == "-" || std::filesystem::exists(path, ignored)) return {path};
  if (path.find_first_of("*?[") == std::string::npos)
    throw_bad_input(path + ": cannot open: there is no such file");
  glob_t found{};
  std::vector<std::string> out;
  if (::glob(path.c_str(), 0, nullptr, &found) == 0)
    out.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (out.empty()) throw_bad_input(path + ": matches no file");
  return out;
}

/// Zero bytes at every other place: UTF-16 of mostly Latin text.
bool looks_like_utf16(std::string_view head) {
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) return true;
  head = head.substr(0, 1024);
  size_t zeros[2] = {0, 0};
  for (size_t i = 0; i < head.size(); ++i) zeros[i % 2] += head[i] == 0 ? 1 : 0;
  const size_t pairs = head.size() / 2;
  return pairs >= 4 && (zeros[0] == 0) != (zeros[1] == 0) && 10 * (zeros[0] + zeros[1]) > 6 * pairs;
}

}  // namespace

std::vector<InputFile> list_inputs(const std::vector<std::string>& paths,
                                   const std::string& format) {
  std::vector<InputFile> files;
  for (const std::string& each : paths) {
    for (const std::string& path : matching(each)) {
      const auto named = format_named(format);
      if (!format.empty() && !named)
        throw_usage("--input-format " + format + ": must be jsonl, csv, tsv or txt");
      files.push_back({path, named ? *named : format_of_file(path), path});
    }
  }
  if (std::ranges::count(files, "-", &InputFile::path) > 1)
    throw_usage("standard input can be read only once");
  return files;
}

struct RowSource::Reader {
  Reader(const InputFile& file, const ReadOptions& options)
      : bytes(open_bytes(file.path, options.cancelled)),
        lines(bytes, options.max_line),
        csv(bytes, file.format == InputFormat::kTsv ? '\t' : ',', options.max_line) {}
  BufferedBytes bytes;
  LineReader lines;
  CsvReader csv;
};

RowSource::RowSource(std::vector<InputFile> files, const ReadOptions& options)
    : files_(std::move(files)), options_(options), picker_(options.fields) {}
RowSource::~RowSource() = default;

void RowSource::open() {
  const InputFile& file = files_[file_];
  reader_ = std::make_unique<Reader>(file, options_);
  BufferedBytes& bytes = reader_->bytes;
  bytes.hash_skipped(is_stream(file.path));
  while (bytes.view().size() < 1024 && bytes.more()) {
  }
  if (looks_like_utf16(bytes.view())) {
    throw_bad_input(file.path + ": is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 " + file.path);
  }
  if (file.format != InputFormat::kCsv && file.format != InputFormat::kTsv) return;
  if (options_.header) {
    const Found found = reader_->csv.next();
    if (found == Found::kBroken)
      throw_bad_input(file.name + ": its header: " + reader_->csv.reason());
    if (found == Found::kRecord) picker_.set_columns(reader_->csv.fields(), file.name);
    return;
  }
  // The columns of a file without a header are those of its first row, which is read again.
  CsvReader ahead(bytes, file.format == InputFormat::kTsv ? '\t' : ',', options_.max_line);
  if (ahead.peek() != Found::kRecord) return;
  std::vector<std::string> names;
  for (size_t i = 1; i <= ahead.fields().size(); ++i) names.push_back(std::to_string(i));
  picker_.set_columns(names, file.name);
}

Found RowSource::next(Row& row, RecordNote& note) {
  while (file_ < files_.size()) {
    if (reader_ == nullptr) open();
    const InputFormat format = files_[file_].format;
    const bool table = format == InputFormat::kCsv || format == InputFormat::kTsv;
    note.file = file_;
    note.reason.clear();
    const Found found = table ? reader_->csv.next() : reader_->lines.next();
    note.line = table ? reader_->csv.line_number() : reader_->lines.line_number();
    if (found == Found::kEnd) {
      ++file_;
      reader_.reset();
      continue;
    }
    if (found == Found::kBroken) {
      note.reason = table ? reader_->csv.reason() : reader_->lines.reason();
      return Found::kBroken;
    }
    if (table) {
      note.reason = picker_.from_columns(reader_->csv.fields(), row);
    } else if (format == InputFormat::kJsonl) {
      const std::string_view line = reader_->lines.line();
      if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
      note.reason = picker_.from_json(line, row);
    } else {
      row.id.clear();
      row.text = reader_->lines.line();
      const size_t invalid = find_invalid_utf8(row.text);
      if (invalid != std::string::npos)
        note.reason = fmt::format("not UTF-8 at byte {} of the text", invalid + 1);
      if (row.text.find('\0') != std::string::npos) note.reason = "a zero byte";
    }
    return note.reason.empty() ? Found::kRecord : Found::kBroken;
  }
  return Found::kEnd;
}

InputPosition RowSource::position() const {
  if (reader_ == nullptr) return {.file = file_};
  const InputFormat format = files_[file_].format;
  const bool table = format == InputFormat::kCsv || format == InputFormat::kTsv;
  const RecordPlace place = table ? reader_->csv.place() : reader_->lines.place();
  return {file_, place.offset, place.line, reader_->bytes.hash()};
}

void RowSource::go_to(const InputPosition& position) {
  file_ = position.file;
  reader_.reset();
  if (file_ >= files_.size() || position == InputPosition{.file = position.file}) return;
  open();
  const std::string& name = files_[file_].name;
  try {
    reader_->bytes.go_to(position.offset);
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
  if (reader_->bytes.hash() != position.hash) {
    throw_bad_input(name + ": isn't what was read of it before; --overwrite starts anew");
  }
  reader_->lines.set_lines(position.line);
  reader_->csv.set_lines(position.line);
}

uint64_t RowSource::consumed() const { return reader_ == nullptr ? 0 : reader_->bytes.consumed(); }

}  // namespace embedforge
