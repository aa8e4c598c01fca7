#include "pipeline/text_source.h"

#include <fmt/format.h>

#include <utility>

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

/// Names that nobody gives to a file with a text a line.
bool holds_records(const std::string& path) {
  for (const char* packed : {"", ".gz", ".zst"}) {
    for (const char* kind : {".jsonl", ".ndjson", ".csv", ".tsv"}) {
      if (path.ends_with(std::string(kind) + packed)) return true;
    }
  }
  return false;
}

}  // namespace

TextSource::TextSource(std::vector<std::string> texts, const std::string& input,
                       const FieldOptions& fields)
    : texts_(std::move(texts)) {
  if (!texts_.empty() && !input.empty())
    throw_usage("texts and --input were both given; use one of them");
  if (!texts_.empty()) return;
  const bool standard = input.empty() || input == "-";
  name_ = standard ? "standard input" : input;
  const bool records = holds_records(input);
  const bool named = !fields.field.empty() || !fields.text_template.empty();
  if (records && !named) {
    throw_usage(input +
                ": holds records, not a text a line; say which field is the text (--field, "
                "where the command has it), or make a file of that field alone");
  }
  if (named && !records)
    throw_usage("--field " + fields.field + ": " + name_ +
                " has no fields; it is read line by line");
  constexpr size_t kMostLine = size_t{1} << 30U;
  const std::string path = standard ? "-" : input;
  source_ = std::make_unique<RowSource>(
      records ? list_inputs({path}, "") : std::vector<InputFile>{{path, InputFormat::kText}},
      ReadOptions{.fields = fields, .max_line = kMostLine});
  if (!is_stream(path)) static_cast<void>(open_bytes(path));  // says at once that it can't be had
}

bool TextSource::next_text(std::string& text) {
  if (source_ == nullptr) {
    if (given_ == texts_.size()) return false;
    text = texts_[given_++];
    const size_t invalid = find_invalid_utf8(text);
    if (invalid != std::string::npos)
      throw_bad_input(fmt::format("text {}: not UTF-8 at byte {} of it", given_, invalid + 1));
    return true;
  }
  Row row;
  RecordNote note;
  const Found found = source_->next(row, note);
  if (found == Found::kBroken)
    throw_bad_input(fmt::format("{}: line {}: {}", name_, note.line, note.reason));
  text = std::move(row.text);
  return found == Found::kRecord;
}

std::vector<std::string> TextSource::next() {
  std::vector<std::string> block;
  size_t bytes = 0;
  std::string text;
  while (block.size() < kBlockTexts && bytes < kBlockBytes && next_text(text)) {
    bytes += text.size();
    block.push_back(std::move(text));
  }
  return block;
}

}  // namespace embedforge
