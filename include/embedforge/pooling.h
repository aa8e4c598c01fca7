// How token embeddings become one vector, and the names of the ways.
#pragma once

#include <string>

namespace embedforge {

/// kWeightedMean: a token's weight is its position, from 1. kMeanSqrtLength: the sum over the root
/// of the number of tokens.
enum class Pooling { kMean, kCls, kMax, kLast, kMeanSqrtLength, kWeightedMean };

/// "mean", "cls", "max", "last", "mean_sqrt_len", "weightedmean".
const char* pooling_name(Pooling pooling);

/// By that name, or by the one that sentence-transformers' files use ("lasttoken",
/// "mean_sqrt_len_tokens"). Errors: kUsage, with the names that are known.
Pooling pooling_of(const std::string& name);

}  // namespace embedforge
