#include "embedforge/pooling.h"

#include <array>
#include <utility>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr std::array<std::pair<Pooling, const char*>, 6> kPoolings = {
    {{Pooling::kMean, "mean"},
     {Pooling::kCls, "cls"},
     {Pooling::kMax, "max"},
     {Pooling::kLast, "last"},
     {Pooling::kMeanSqrtLength, "mean_sqrt_len"},
     {Pooling::kWeightedMean, "weightedmean"}}};

}  // namespace

const char* pooling_name(Pooling pooling) {
  for (const auto& [known, name] : kPoolings) {
    if (known == pooling) return name;
  }
  return "";
}

Pooling pooling_of(const std::string& name) {
  std::string names;
  for (const auto& [pooling, known] : kPoolings) {
    if (name == known) return pooling;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  if (name == "lasttoken") return Pooling::kLast;
  if (name == "mean_sqrt_len_tokens") return Pooling::kMeanSqrtLength;
  throw_usage("pooling must be one of " + names + ", not \"" + name + "\"");
}

}  // namespace embedforge
