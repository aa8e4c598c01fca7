#include "tokenize/split/pre_tokenizers.h"

#include <algorithm>

#include "tokenize/normalize/rewrites.h"
#include "tokenize/split/byte_level.h"
#include "tokenize/split/gpt2_words.h"
#include "tokenize/unicode/unicode.h"

namespace embedforge {
namespace {

/// \w+|[^\w\s]+ with what is between as the delimiter.
void word_runs(const Pieces& in, const Piece& piece, std::vector<Run>& runs) {
  const char* const text = in.text.data();
  const char* p = text + piece.begin;
  const char* const end = text + piece.end;
  while (p < end) {
    const auto begin = static_cast<uint32_t>(p - text);
    const uint16_t kind = unicode_classes()[decode_utf8(p)] & (kIsWord | kIsWhitespace);
    while (p < end) {
      const char* next = p;
      if ((unicode_classes()[decode_utf8(next)] & (kIsWord | kIsWhitespace)) != kind) break;
      p = next;
    }
    runs.push_back({begin, static_cast<uint32_t>(p - text), kind == kIsWhitespace});
  }
}

struct ApplyPreTokenizer {
  Pieces& pieces;
  Pieces& scratch;

  void split_class(SplitBehavior behavior, uint16_t classes) const {
    split_characters(pieces, scratch, behavior,
                     [classes](char32_t c) { return is_unicode(c, classes); });
  }

  void operator()(const BertPreTokenizer&) const {
    split_class(SplitBehavior::kRemoved, kIsWhitespace);
    split_class(SplitBehavior::kIsolated, kIsPunctuation);
  }
  void operator()(const WhitespacePreTokenizer&) const {
    split_pieces(
        pieces, scratch, SplitBehavior::kRemoved,
        [this](const Piece& piece, std::vector<Run>& runs) { word_runs(pieces, piece, runs); });
  }
  void operator()(const WhitespaceSplitPreTokenizer&) const {
    split_class(SplitBehavior::kRemoved, kIsWhitespace);
  }
  void operator()(const PunctuationPreTokenizer& p) const {
    split_class(p.behavior, kIsPunctuation);
  }
  void operator()(const DigitsPreTokenizer& p) const {
    split_class(p.individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, kIsNumeric);
  }
  void operator()(const DelimiterPreTokenizer& p) const {
    split_characters(pieces, scratch, SplitBehavior::kRemoved,
                     [p](char32_t c) { return c == p.delimiter; });
  }

  void operator()(const MetaspacePreTokenizer& p) const {
    std::string mark;
    append_utf8(p.replacement, mark);
    rewrite(pieces, scratch, [&](const Pieces& in, const Piece& piece, Rewriter& out) {
      replace_spaces(in, piece, out, mark);
    });
    using Prepend = MetaspacePreTokenizer::Prepend;
    if (p.prepend != Prepend::kNever) {
      rewrite(pieces, scratch, [&](const Pieces& in, const Piece& piece, Rewriter& out) {
        const bool wanted = p.prepend == Prepend::kAlways || piece.base == 0;
        if (!wanted || in.view(piece).starts_with(mark)) return out.keep(piece);
        out.prepend(piece, mark);
      });
    }
    if (p.split) {
      split_characters(pieces, scratch, SplitBehavior::kMergedWithNext,
                       [p](char32_t c) { return c == p.replacement; });
    }
  }

  static void replace_spaces(const Pieces& in, const Piece& piece, Rewriter& out,
                             std::string_view mark) {
    out.start(piece);
    uint32_t done = piece.begin;
    while (done < piece.end) {
      const size_t space = std::min<size_t>(in.text.find(' ', done), piece.end);
      out.copy_to(static_cast<uint32_t>(space));
      if (space == piece.end) break;
      done = static_cast<uint32_t>(space) + 1;
      out.drop_to(done);
      out.insert(mark);
    }
  }

  void operator()(const ByteLevelPreTokenizer& p) const {
    if (p.add_prefix_space) {
      rewrite(pieces, scratch, [](const Pieces& in, const Piece& piece, Rewriter& out) {
        if (piece.begin == piece.end || in.text[piece.begin] == ' ') return out.keep(piece);
        out.prepend(piece, " ");
      });
    }
    if (p.use_regex) {
      split_pieces(pieces, scratch, SplitBehavior::kIsolated,
                   [this](const Piece& piece, std::vector<Run>& runs) {
                     gpt2_words(pieces.view(piece), piece.begin, runs);
                   });
    }
    rewrite(pieces, scratch, byte_level_piece);
  }

  void operator()(const SplitPreTokenizer& p) const {
    split_pieces(pieces, scratch, p.behavior, [&](const Piece& piece, std::vector<Run>& runs) {
      p.pattern.find(pieces.view(piece), piece.begin, runs);
      if (!p.invert) return;
      for (Run& run : runs) run.match = !run.match;
    });
  }

  void operator()(const FixedLengthPreTokenizer& p) const {
    split_pieces(pieces, scratch, SplitBehavior::kIsolated,
                 [&](const Piece& piece, std::vector<Run>& runs) {
                   uint32_t begin = piece.begin;
                   size_t count = 0;
                   for (uint32_t i = piece.begin; i < piece.end; ++i) {
                     if (!is_utf8_boundary(pieces.text[i]) || count++ < p.length) continue;
                     runs.push_back({begin, i, true});
                     begin = i;
                     count = 1;
                   }
                   runs.push_back({begin, piece.end, true});
                 });
  }
};

}  // namespace

void pre_tokenize(const std::vector<PreTokenizer>& steps, Pieces& pieces, Pieces& scratch) {
  for (const PreTokenizer& step : steps) std::visit(ApplyPreTokenizer{pieces, scratch}, step);
}

bool needs_origins(const std::vector<PreTokenizer>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const PreTokenizer& step) {
    const auto* metaspace = std::get_if<MetaspacePreTokenizer>(&step);
    return metaspace != nullptr && metaspace->prepend == MetaspacePreTokenizer::Prepend::kFirst;
  });
}

}  // namespace embedforge
