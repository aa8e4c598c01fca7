#include "tokenize/normalizers.h"

#include "tokenize/rewrites.h"

namespace embedforge {
namespace {

struct Apply {
  Pieces& pieces;
  Pieces& scratch;

  void operator()(const BertNormalizer& options) const { normalize_bert(options, pieces, scratch); }
};

}  // namespace

void normalize(const std::vector<Normalizer>& steps, Pieces& pieces, Pieces& scratch) {
  for (const Normalizer& step : steps) std::visit(Apply{pieces, scratch}, step);
}

}  // namespace embedforge
