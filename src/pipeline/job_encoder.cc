#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "embedforge/error.h"
#include "pipeline/chunks.h"
#include "pipeline/job_block.h"

namespace embedforge {
namespace {

constexpr size_t kCacheBytes = size_t{32} << 20U;

}  // namespace

struct BlockEncoder::Piece {
  size_t text = 0;  // of the block
  TextPiece part;
};

BlockEncoder::BlockEncoder(const Embedder& embedder, const JobOptions& options,
                           std::vector<InputFile> files, OutputFormat format)
    : embedder_(embedder),
      options_(options),
      files_(std::move(files)),
      format_(format),
      writes_rows_(format != OutputFormat::kJsonl &&
                   (!options.read.fields.id_field.empty() || options.chunk_tokens > 0 ||
                    options.write_rows)),
      dimension_(embedder.dimension()),
      cache_(kCacheBytes) {
  const size_t width = options.encode.dimensions;
  if (width > dimension_) {
    throw_usage(fmt::format("--dimensions {} is more than the model's {}", width, dimension_));
  }
  if (width > 0) dimension_ = width;
  const bool integers = options.type == VectorType::kInt8 || options.type == VectorType::kUint8;
  if (integers && options.ranges.empty()) {
    throw_usage(fmt::format(
        "--precision {0} needs the least and greatest values of the vectors beforehand: --ranges "
        "FILE.npy of a sample (numpy.save(FILE, embedforge.vector_ranges(vectors)))",
        vector_type_name(options.type)));
  }
  if (!integers && !options.ranges.empty())
    throw_usage("--ranges has a meaning for --precision int8 and uint8 only");
  if (integers) ranges_ = read_ranges(options.ranges);
  if (ranges_ && ranges_->least.size() != dimension_) {
    throw_usage(fmt::format("{}: has {} columns, the vectors {}", options.ranges,
                            ranges_->least.size(), dimension_));
  }
  if (options.overlap > 0 && options.overlap >= options.chunk_tokens) {
    throw_usage(fmt::format("--overlap {} must be less than --chunk-tokens {}", options.overlap,
                            options.chunk_tokens));
  }
  if (options.chunk_tokens == 0) return;
  const size_t most = embedder.max_length();
  const EmbedderInfo info = embedder.info();
  const std::string& name = options.encode.prompt_name;
  const auto prompt = info.prompts.find(name.empty() ? info.default_prompt_name : name);
  const size_t special = embedder.count_tokens(
      options.encode.prompt.value_or(prompt == info.prompts.end() ? "" : prompt->second));
  if (most > 0 && options.chunk_tokens + special > most) {
    throw_usage(fmt::format(
        "--chunk-tokens {} and {} special tokens are more than the {} that the model takes; use {} "
        "or less",
        options.chunk_tokens, special, most, most - special));
  }
}

size_t BlockEncoder::columns() const {
  return options_.type == VectorType::kFloat32 ? dimension_
                                               : vector_bytes(options_.type, dimension_);
}

std::vector<BlockEncoder::Piece> BlockEncoder::pieces_of(const Block& block) const {
  std::vector<Piece> pieces;
  pieces.reserve(block.texts.size());
  for (size_t i = 0; i < block.texts.size(); ++i) {
    const std::string& text = block.texts[i].row.text;
    if (options_.chunk_tokens == 0) {
      pieces.push_back({i, {0, text.size(), 0, 0}});
      continue;
    }
    const TokenizedText tokens = embedder_.tokenize_whole(text);
    for (const TextPiece& part :
         cut_into_pieces(text, tokens.offsets, options_.chunk_tokens, options_.overlap))
      pieces.push_back({i, part});
  }
  return pieces;
}

/// "id":..., "line":... and so on. `whole`: also what a row that has an id can do without.
void BlockEncoder::append_place(const Piece& piece, const Block::Text& text, bool whole,
                                std::string& out) const {
  const auto add = [&out](std::string_view key, std::string_view value) {
    if (out.back() != '{') out += ',';
    out.append("\"").append(key).append("\":").append(value);
  };
  const bool has_id = !text.row.id.empty();
  if (has_id) add("id", text.row.id);
  if (whole || !has_id) {
    if (files_.size() > 1) add("file", json_string(files_[text.file].name));
    add("line", std::to_string(text.line));
  }
  if (options_.chunk_tokens > 0) {
    add("begin", std::to_string(piece.part.first));
    add("end", std::to_string(piece.part.last));
  }
}

void BlockEncoder::encode(Block& block) {
  const std::vector<Piece> pieces = pieces_of(block);
  std::vector<std::string_view> texts;
  texts.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    const std::string_view text = block.texts[piece.text].row.text;
    texts.push_back(text.substr(piece.part.begin, piece.part.end - piece.part.begin));
  }
  block.rows = pieces.size();
  size_t repeated = 0;
  Matrix made = encode_once(texts, dimension_, cache_, repeated,
                            [&](auto fresh) { return embedder_.encode(fresh, options_.encode); });
  block.repeated = repeated;
  const Vectors vectors =
      typed_vectors(std::move(made), options_.type, ranges_ ? &*ranges_ : nullptr);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Block::Text& text = block.texts[pieces[i].text];
    if (format_ != OutputFormat::kJsonl) {
      append_raw_row(vectors, i, block.output);
    } else {
      block.output += '{';
      append_place(pieces[i], text, false, block.output);
      if (options_.with_text) block.output.append(",\"text\":").append(json_string(texts[i]));
      block.output += ",\"embedding\":";
      append_json_row(vectors, i, block.output);
      block.output += "}\n";
    }
    if (!writes_rows_) continue;
    block.row_lines += '{';
    append_place(pieces[i], text, true, block.row_lines);
    if (options_.with_text) block.row_lines.append(",\"text\":").append(json_string(texts[i]));
    block.row_lines += "}\n";
  }
}

}  // namespace embedforge
