// What a mask does, read off its values for the probes: which distances between query and key it
// keeps, what it adds to them, and whether it takes padding out.
#include "recognize/mask_effect.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graph/tensor.h"

namespace embedforge::recognize {
namespace {

constexpr double kUnseen = std::numeric_limits<double>::infinity();
constexpr double kRemoved = -std::numeric_limits<double>::infinity();
/// Distances beyond the last change that must have the same bias for it to hold for all others.
constexpr int64_t kSettled = 8;

/// Elements of a tensor that broadcasts to four axes.
class Broadcast4 {
 public:
  Broadcast4(const Tensor& tensor, std::array<int64_t, 4> sizes) : values_(to_doubles(tensor)) {
    const size_t rank = tensor.dims.size();
    fits_ = rank <= 4;
    int64_t stride = 1;
    for (size_t i = rank; fits_ && i-- > 0;) {
      const size_t axis = i + 4 - rank;
      if (sizes[axis] < 0) sizes[axis] = tensor.dims[i];  // any size
      fits_ = tensor.dims[i] == 1 || tensor.dims[i] == sizes[axis];
      strides_[axis] = tensor.dims[i] == 1 ? 0 : stride;
      stride *= tensor.dims[i];
    }
    for (size_t axis = 0; axis < 4; ++axis) sizes_[axis] = std::max<int64_t>(sizes[axis], 1);
  }
  bool fits() const { return fits_; }
  int64_t size(size_t axis) const { return sizes_[axis]; }
  double at(int64_t a, int64_t b, int64_t c, int64_t d) const {
    return values_[static_cast<size_t>(a * strides_[0] + b * strides_[1] + c * strides_[2] +
                                       d * strides_[3])];
  }

 private:
  std::vector<double> values_;
  std::array<int64_t, 4> strides_{};
  std::array<int64_t, 4> sizes_{};
  bool fits_ = true;
};

/// What is added at each distance key - query, for each head; kRemoved where the key is taken out.
class Distances {
 public:
  Distances(int64_t heads, int64_t longest)
      : heads_(heads),
        reach_(longest),
        values_(static_cast<size_t>(heads * (2 * longest + 1)), kUnseen) {}

  double& at(int64_t head, int64_t distance) {
    return values_[static_cast<size_t>(head * (2 * reach_ + 1) + distance + reach_)];
  }
  /// False when the distance had another value.
  bool put(int64_t head, int64_t distance, double value) {
    if (std::isnan(value) || value == kUnseen) return false;
    double& place = at(head, distance);
    if (place == kUnseen) place = value;
    return place == value || (std::isfinite(place) && std::isfinite(value) && nearly(place, value));
  }
  int64_t heads() const { return heads_; }
  /// The largest distance that was seen (both ways).
  int64_t furthest() {
    int64_t out = 0;
    while (out < reach_ && at(0, out + 1) != kUnseen) ++out;
    return out;
  }

 private:
  int64_t heads_;
  int64_t reach_;
  std::vector<double> values_;
};

/// f(head, key - query, whether the key is a token, the mask's value) for each query that is a
/// token, until one is false.
template <typename F>
bool all_pairs(const std::vector<Broadcast4>& views, std::span<const Probe> probes, F f) {
  for (size_t p = 0; p < probes.size(); ++p) {
    const Probe& probe = probes[p];
    for (int64_t row = 0; row < probe.batch; ++row) {
      for (int64_t head = 0; head < views[p].size(1); ++head) {
        for (int64_t query = 0; query < probe.sequence; ++query) {
          if (!probe.attended(row, query)) continue;
          for (int64_t key = 0; key < probe.sequence; ++key) {
            const double value = views[p].at(row, head, query, key);
            if (!f(head, key - query, probe.attended(row, key), value)) return false;
          }
        }
      }
    }
  }
  return true;
}

/// The distances kept are those of a causal mask or a window (or both), the same for every head.
bool read_structure(Distances& distances, MaskEffect& out) {
  const int64_t furthest = distances.furthest();
  const auto kept = [&](int64_t d) { return distances.at(0, d) != kRemoved; };
  if (!kept(0)) return false;
  out.causal = furthest > 0 && !kept(1);
  int64_t back = 0;
  while (back < furthest && kept(-back - 1)) ++back;
  if (back < furthest) out.window = back;
  for (int64_t head = 0; head < distances.heads(); ++head) {
    for (int64_t d = -furthest; d <= furthest; ++d) {
      const bool expected =
          (d <= 0 || !out.causal) && (out.window < 0 || std::abs(d) <= out.window);
      if ((distances.at(head, d) != kRemoved) != expected) return false;
    }
  }
  return true;
}

void read_bias(Distances& distances, MaskEffect& out) {
  const int64_t furthest = distances.furthest();
  // What is taken out counts as the nearest distance that is kept.
  const auto value = [&](int64_t head, int64_t d) {
    if (out.window >= 0) d = std::clamp(d, -out.window, out.window);
    if (out.causal) d = std::min<int64_t>(d, 0);
    return distances.at(head, d);
  };
  bool any = false;
  int64_t last = 0;  // the last distance at which something changes
  for (int64_t head = 0; head < distances.heads(); ++head) {
    for (int64_t d = 0; d <= furthest; ++d) {
      for (const int64_t side : {d, -d}) {
        any = any || std::fabs(value(head, side)) >= 1e-6;
        const int64_t before = side > 0 ? side - 1 : side < 0 ? side + 1 : 0;
        if (!nearly(value(head, side), value(head, before))) last = std::max(last, d);
      }
    }
  }
  if (!any) return;
  out.bias_heads = distances.heads();
  out.bias_length = last + kSettled > furthest ? furthest + 1 : 0;
  for (int64_t head = 0; head < distances.heads(); ++head) {
    for (int64_t d = -last; d <= last; ++d) {
      out.relative_bias.push_back(static_cast<float>(value(head, d)));
    }
  }
}

template <typename Meaning>
MaskEffect effect(const Known& mask, std::span<const Probe> probes, Meaning meaning) {
  MaskEffect out;
  std::vector<Broadcast4> views;
  int64_t longest = 0;
  int64_t heads = 1;
  for (size_t p = 0; p < probes.size(); ++p) {
    const Probe& probe = probes[p];
    views.emplace_back(mask.at[p],
                       std::array{probe.batch, int64_t{-1}, probe.sequence, probe.sequence});
    if (!views.back().fits()) return out;
    heads = std::max(heads, views.back().size(1));
    longest = std::max(longest, probe.sequence);
  }
  for (const Broadcast4& view : views) {
    if (view.size(1) != heads) return out;
  }
  Distances distances(heads, longest);
  const auto size = static_cast<size_t>(2 * longest + 1);
  std::array<std::vector<bool>, 2> padding = {std::vector<bool>(size), std::vector<bool>(size)};
  auto& [kept, removed] = padding;  // at some query that far away
  const bool depends_on_distance =
      all_pairs(views, probes, [&](int64_t head, int64_t distance, bool token, double value) {
        if (token) return distances.put(head, distance, meaning(value));
        padding[meaning(value) == kRemoved ? 1 : 0][static_cast<size_t>(distance + longest)] = true;
        return true;
      });
  if (!depends_on_distance || !read_structure(distances, out)) return out;
  const bool any_kept = std::ranges::count(kept, true) > 0;
  out.padding = std::ranges::count(removed, true) > 0 && !any_kept;
  for (int64_t d = -longest; d <= longest && !out.padding; ++d) {  // as tokens that far away
    const bool far = (out.causal && d > 0) || (out.window >= 0 && std::abs(d) > out.window);
    if ((far ? kept : removed)[static_cast<size_t>(d + longest)]) return out;
  }
  read_bias(distances, out);
  out.understood = true;
  return out;
}

}  // namespace

MaskEffect MaskEffects::of(const Known& mask, Kind kind, std::span<const Probe> probes) {
  // Copies of a tensor share its bytes, and those of the masks in seen_ stay alive.
  const auto same = [](const Tensor& a, const Tensor& b) {
    return a.bytes.data() == b.bytes.data() && a.dims == b.dims && a.type == b.type;
  };
  for (const Seen& each : seen_) {
    if (each.kind == kind && std::ranges::equal(each.mask.at, mask.at, same)) return each.effect;
  }
  constexpr size_t kMost = 4;  // a model that alternates between windows has two
  if (seen_.size() == kMost) seen_.erase(seen_.begin());
  seen_.push_back({mask, kind, effect(mask, probes, [=](double x) {
                     if (kind == Kind::kAdditive) return x <= kVeryNegative ? kRemoved : x;
                     return (x != 0) == (kind == Kind::kKeepIfTrue) ? 0.0 : kRemoved;
                   })});
  return seen_.back().effect;
}

}  // namespace embedforge::recognize
