// A sentencepiece model (ModelProto of sentencepiece_model.proto) as the document of a
// tokenizer.json.
#include <fmt/format.h>

#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "embedforge/error.h"
#include "tokenize/files/legacy_files.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

using nlohmann::json;

constexpr const char* kSpaceMark = "\xE2\x96\x81";  // U+2581 stands for a space

enum PieceType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};
enum ModelType { kUnigramModel = 1, kBpeModel = 2 };

struct SentencePiece {
  std::string text;
  double score = 0;
  int type = kNormal;
};

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;
  int type = kUnigramModel;
  std::string chars_map;
  bool add_dummy_prefix = true;
  bool remove_extra_spaces = true;
};

/// What protozero's tag_and_type() gives for a field of the type that the format says.
constexpr uint32_t number(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::varint);
}
constexpr uint32_t record(uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}

SentencePiece read_piece(protozero::pbf_reader message) {
  SentencePiece piece;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case record(1):
        piece.text = message.get_string();
        break;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::fixed32):
        piece.score = message.get_float();
        break;
      case number(3):
        piece.type = message.get_enum();
        break;
      default:
        message.skip();
    }
  }
  return piece;
}

void read_trainer(protozero::pbf_reader message, SentencePieceModel& model) {
  while (message.next()) {
    if (message.tag_and_type() == number(3)) {
      model.type = message.get_enum();
    } else {
      message.skip();
    }
  }
}

void read_normalizer(protozero::pbf_reader message, SentencePieceModel& model) {
  while (message.next()) {
    switch (message.tag_and_type()) {
      case record(2):
        model.chars_map = message.get_string();
        break;
      case number(3):  // get_bool() would read the byte behind the end
        model.add_dummy_prefix = message.get_uint64() != 0;
        break;
      case number(4):
        model.remove_extra_spaces = message.get_uint64() != 0;
        break;
      default:
        message.skip();
    }
  }
}

SentencePieceModel read_model(std::string_view bytes, const std::string& file) {
  SentencePieceModel model;
  try {
    protozero::pbf_reader message(bytes.data(), bytes.size());
    while (message.next()) {
      switch (message.tag_and_type()) {
        case record(1):
          model.pieces.push_back(read_piece(message.get_message()));
          break;
        case record(2):
          read_trainer(message.get_message(), model);
          break;
        case record(3):
          read_normalizer(message.get_message(), model);
          break;
        default:
          message.skip();
      }
    }
  } catch (const protozero::exception&) {
    throw_bad_input(file + ": not a sentencepiece model, or cut short");
  }
  if (model.pieces.empty()) throw_bad_input(file + ": a sentencepiece model without pieces");
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    if (find_invalid_utf8(model.pieces[i].text) != std::string_view::npos) {
      throw_bad_input(fmt::format("{}: piece {} is not valid UTF-8", file, i));
    }
  }
  return model;
}

std::string encode_base64(std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < count ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(j <= count ? kAlphabet[bits >> (18 - 6 * j) & 63] : '=');
    }
  }
  return out;
}

/// Fairseq's order, which XLM-R and CamemBERT have: four special tokens of its own before the
/// pieces.
void use_fairseq_ids(std::vector<SentencePiece>& pieces) {
  std::vector<SentencePiece> all{
      {"<s>", 0, kControl}, {"<pad>", 0, kControl}, {"</s>", 0, kControl}, {"<unk>", 0, kUnknown}};
  if (pieces.size() > 3) all.insert(all.end(), pieces.begin() + 3, pieces.end());
  all.push_back({"<mask>", 0, kUserDefined});
  pieces = std::move(all);
}

int unknown_index(const std::vector<SentencePiece>& pieces) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].type == kUnknown) return static_cast<int>(i);
  }
  return -1;
}

/// Every split of a piece into two others is a merge; better scores first, then longer parts.
json merges_of(const std::vector<SentencePiece>& pieces) {
  struct Merge {
    double score;
    size_t left;
    size_t right;
    size_t left_length;
    size_t right_length;
  };
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t i = 0; i < pieces.size(); ++i) ids.emplace(pieces[i].text, i);
  std::vector<Merge> merges;
  for (const SentencePiece& piece : pieces) {
    std::vector<Merge> local;
    const std::string_view text = piece.text;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if (!is_utf8_boundary(text[cut])) continue;
      const auto left = ids.find(text.substr(0, cut));
      const auto right = ids.find(text.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      local.push_back({piece.score, left->second, right->second, count_code_points(left->first),
                       count_code_points(right->first)});
    }
    std::sort(local.begin(), local.end(), [](const Merge& a, const Merge& b) {
      return std::pair(a.left, a.right) < std::pair(b.left, b.right);
    });
    merges.insert(merges.end(), local.begin(), local.end());
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tuple(a.score, a.left_length, a.right_length) >
           std::tuple(b.score, b.left_length, b.right_length);
  });
  json out = json::array();
  for (const Merge& merge : merges) {
    out.push_back({pieces[merge.left].text, pieces[merge.right].text});
  }
  return out;
}

json model_json(const SentencePieceModel& model) {
  const int unknown = unknown_index(model.pieces);
  const bool bytes = std::any_of(model.pieces.begin(), model.pieces.end(),
                                 [](const SentencePiece& piece) { return piece.type == kByte; });
  if (model.type == kUnigramModel) {
    json vocab = json::array();
    for (const SentencePiece& piece : model.pieces) vocab.push_back({piece.text, piece.score});
    return {{"type", "Unigram"},
            {"vocab", vocab},
            {"unk_id", unknown < 0 ? json() : json(unknown)},
            {"byte_fallback", bytes}};
  }
  json vocab = json::object();
  for (size_t i = 0; i < model.pieces.size(); ++i) vocab.emplace(model.pieces[i].text, i);
  return {
      {"type", "BPE"},
      {"vocab", vocab},
      {"merges", merges_of(model.pieces)},
      {"unk_token", unknown < 0 ? json() : json(model.pieces[static_cast<size_t>(unknown)].text)},
      {"fuse_unk", true},
      {"byte_fallback", bytes}};
}

}  // namespace

json sentencepiece_document(std::string_view bytes, const std::string& file,
                            const TokenizerSettings& settings) {
  SentencePieceModel model = read_model(bytes, file);
  if (model.type != kUnigramModel && model.type != kBpeModel) {
    throw_not_supported(file + ": a sentencepiece model of type word or char is not supported");
  }
  const bool fairseq = settings.is_class("XLMRoberta") || settings.is_class("Camembert");
  if (fairseq) use_fairseq_ids(model.pieces);

  json ids = json::object();
  json added = json::array();
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePiece& piece = model.pieces[i];
    ids[piece.text] = i;
    if (piece.type == kControl || piece.type == kUnknown || piece.type == kUserDefined) {
      json token = added_token(piece.text, piece.text == "<mask>");
      token["special"] = piece.type != kUserDefined || piece.text == "<mask>";
      added.push_back(std::move(token));
    }
  }
  if (json configured = settings.added_tokens(); !configured.empty()) added = std::move(configured);

  json normalizers = json::array();
  if (!model.chars_map.empty()) {
    normalizers.push_back(
        {{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(model.chars_map)}});
  }
  if (model.remove_extra_spaces) {
    normalizers.push_back({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
    normalizers.push_back(
        {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", kSpaceMark}});
  }
  const char* scheme = model.add_dummy_prefix ? "always" : "never";
  const json metaspace = {{"type", "Metaspace"},
                          {"replacement", kSpaceMark},
                          {"prepend_scheme", scheme},
                          {"split", model.type == kUnigramModel}};
  json post;
  if (fairseq) {
    post = template_processing({"<s>"}, {"</s>", "</s>"}, {"</s>"}, 0, ids);
  } else if (settings.is_class("T5") && ids.contains("</s>")) {
    post = template_processing({}, {"</s>"}, {"</s>"}, 0, ids);
  } else if (settings.is_class("Llama") && ids.contains("<s>")) {
    post = template_processing({"<s>"}, {"<s>"}, {}, 1, ids);
  }
  json decoder = metaspace;
  if (model.type == kBpeModel) {
    decoder = {{"type", "Sequence"},
               {"decoders",
                {{{"type", "Replace"}, {"pattern", {{"String", kSpaceMark}}}, {"content", " "}},
                 {{"type", "ByteFallback"}},
                 {{"type", "Fuse"}},
                 {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  }
  return {{"version", "1.0"},
          {"model", model_json(model)},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer", metaspace},
          {"post_processor", post},
          {"decoder", decoder},
          {"added_tokens", added}};
}

}  // namespace embedforge
