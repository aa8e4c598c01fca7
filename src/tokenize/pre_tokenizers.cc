#include "tokenize/pre_tokenizers.h"

#include "tokenize/splits.h"
#include "tokenize/unicode.h"

namespace embedforge {
namespace {

struct Apply {
  Pieces& pieces;
  Pieces& scratch;

  void operator()(const BertPreTokenizer&) const {
    split_characters(pieces, scratch, SplitBehavior::kRemoved,
                     [](char32_t c) { return is_unicode(c, kIsWhitespace); });
    split_characters(pieces, scratch, SplitBehavior::kIsolated,
                     [](char32_t c) { return is_unicode(c, kIsPunctuation); });
  }
};

}  // namespace

void pre_tokenize(const std::vector<PreTokenizer>& steps, Pieces& pieces, Pieces& scratch) {
  for (const PreTokenizer& step : steps) std::visit(Apply{pieces, scratch}, step);
}

}  // namespace embedforge
