// Takes: the options' texts, or the default ones. Gives: tokens to calibrate with and tokens to
// measure with, none of them in both. Never: runs a model.
#pragma once

#include <cstdint>
#include <vector>

#include "base/token_batch.h"
#include "config/model_config.h"
#include "embedforge/model.h"

namespace embedforge::quantization {

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<size_t> offsets = {0};
  size_t texts() const { return offsets.size() - 1; }
  TokenBatch batch() const { return {ids, {}, offsets}; }
  /// The first ones.
  TokenBatch first(size_t count) const {
    const size_t kept = std::min(count, texts());
    return {std::span(ids).first(offsets[kept]), {}, std::span(offsets).first(kept + 1)};
  }
};

struct TextSplit {
  Tokens used, held;
  bool given = false;  // the options' own texts
  size_t count = 0;    // texts in `used`, but for the default ones that are added to given ones
};

/// The texts for rounding, `samples` at most, and those for the report: of the given texts the ones
/// after `samples`, a fifth at least; of the default ones every third; with kNone, `used` is random
/// tokens. The default texts follow the given ones in `used`: what only long texts calibrated loses
/// most on short ones. Errors: kBadInput for fewer than 10 texts that aren't empty, kUsage for
/// fewer than 10 samples.
TextSplit split_texts(const QuantizeOptions& options, const ModelConfig& config);

}  // namespace embedforge::quantization
