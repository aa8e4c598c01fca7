#include "plan/probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "graph/tensor.h"

namespace embedforge::raising {
namespace {

constexpr double kVeryNegative = -9000;  // exp() of it is 0 in float; exporters use -10000 and less

/// A deterministic stand-in for text: ids from 5 to 28, which any vocabulary has and no special
/// token is.
int64_t sample_id(int64_t i) { return 5 + (i * 7 + i / 3) % 24; }

Probe make_probe(int64_t batch, int64_t sequence, std::vector<int64_t> lengths) {
  Probe probe{batch, sequence, std::move(lengths), {}, {}};
  for (int64_t row = 0; row < batch; ++row) {
    for (int64_t i = 0; i < sequence; ++i) {
      const bool attended = probe.attended(row, i);
      probe.ids.push_back(attended ? sample_id(row * 31 + i) : 0);
      probe.types.push_back(attended && i % 3 == 1 ? 1 : 0);
    }
  }
  return probe;
}

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

/// `keeps` and `removes` say what an element means; one that is neither makes the effect kOther.
template <typename Keeps, typename Removes>
MaskEffect effect(const Known& mask, const std::vector<Probe>& probes, Keeps keeps,
                  Removes removes) {
  bool any_removed = false;
  bool all_removed = true;
  for (size_t p = 0; p < probes.size(); ++p) {
    const Probe& probe = probes[p];
    const Broadcast4 view(mask.at[p], {probe.batch, -1, probe.sequence, probe.sequence});
    if (!view.fits()) return MaskEffect::kOther;
    for (int64_t row = 0; row < probe.batch; ++row) {
      for (int64_t head = 0; head < view.size(1); ++head) {
        for (int64_t query = 0; query < probe.lengths[static_cast<size_t>(row)]; ++query) {
          for (int64_t key = 0; key < probe.sequence; ++key) {
            const double value = view.at(row, head, query, key);
            if (probe.attended(row, key)) {
              if (!keeps(value)) return MaskEffect::kOther;
            } else if (removes(value)) {
              any_removed = true;
            } else {
              if (!keeps(value)) return MaskEffect::kOther;
              all_removed = false;
            }
          }
        }
      }
    }
  }
  if (!any_removed) return MaskEffect::kNone;
  return all_removed ? MaskEffect::kPadding : MaskEffect::kOther;
}

/// `check(value, row, position)` for every element, whose first axis is the batch and second (when
/// `by_token`) the sequence.
template <typename Check>
bool for_all(const Known& value, const std::vector<Probe>& probes, bool by_token, Check check) {
  for (size_t p = 0; p < probes.size(); ++p) {
    const Tensor& tensor = value.at[p];
    const size_t leading = by_token ? 2 : 1;
    if (tensor.dims.size() < leading || tensor.dims[0] != probes[p].batch) return false;
    if (by_token && tensor.dims[1] != probes[p].sequence) return false;
    const int64_t rows = probes[p].batch * (by_token ? probes[p].sequence : 1);
    const std::vector<double> values = to_doubles(tensor);
    const int64_t inner = static_cast<int64_t>(values.size()) / rows;
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i) / inner;
      const int64_t row = by_token ? at / probes[p].sequence : at;
      if (!check(values[i], probes[p], row, by_token ? at % probes[p].sequence : 0)) return false;
    }
  }
  return true;
}

}  // namespace

std::vector<Probe> make_probes(int64_t longest) {
  std::vector<Probe> probes = {make_probe(2, 5, {5, 3}), make_probe(3, 11, {7, 11, 2})};
  if (longest > 13) probes.push_back(make_probe(1, longest, {longest - 4}));
  return probes;
}

std::optional<InputRole> input_role(const std::string& name) {
  static const std::map<std::string, InputRole> kRoles = {
      {"input_ids", InputRole::kTokenIds},     {"attention_mask", InputRole::kMask},
      {"input_mask", InputRole::kMask},        {"token_type_ids", InputRole::kTokenTypes},
      {"segment_ids", InputRole::kTokenTypes}, {"position_ids", InputRole::kPositions}};
  const auto found = kRoles.find(name);
  if (found == kRoles.end()) return std::nullopt;
  return found->second;
}

Known probe_input(InputRole role, DataType type, const std::vector<Probe>& probes) {
  Known out;
  for (const Probe& probe : probes) {
    std::vector<int64_t> values = role == InputRole::kTokenTypes ? probe.types : probe.ids;
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t row = static_cast<int64_t>(i) / probe.sequence;
      const int64_t position = static_cast<int64_t>(i) % probe.sequence;
      if (role == InputRole::kMask) values[i] = probe.attended(row, position) ? 1 : 0;
      if (role == InputRole::kPositions) values[i] = position;
    }
    const std::vector<int64_t> dims = {probe.batch, probe.sequence};
    if (type == DataType::kInt32) {
      out.at.push_back(
          Tensor::from(type, dims, std::vector<int32_t>(values.begin(), values.end())));
    } else {
      out.at.push_back(Tensor::from_ints(dims, std::move(values)));
    }
  }
  return out;
}

bool nearly(double a, double b) { return std::fabs(a - b) <= 1e-5 * std::max(1.0, std::fabs(b)); }

MaskEffect additive_effect(const Known& mask, const std::vector<Probe>& probes) {
  return effect(
      mask, probes, [](double x) { return std::fabs(x) < 1e-6; },
      [](double x) { return x <= kVeryNegative; });
}

MaskEffect condition_effect(const Known& condition, bool keep, const std::vector<Probe>& probes) {
  return effect(
      condition, probes, [=](double x) { return (x != 0) == keep; },
      [=](double x) { return (x != 0) != keep; });
}

bool is_token_mask(const Known& value, double attended, double padding,
                   const std::vector<Probe>& probes) {
  return for_all(value, probes, true,
                 [&](double x, const Probe& probe, int64_t row, int64_t position) {
                   return nearly(x, probe.attended(row, position) ? attended : padding);
                 });
}

bool is_length(const Known& value, double (*f)(double), const std::vector<Probe>& probes) {
  return for_all(value, probes, false, [&](double x, const Probe& probe, int64_t row, int64_t) {
    return nearly(x, f(static_cast<double>(probe.lengths[static_cast<size_t>(row)])));
  });
}

std::optional<IndexMeaning> index_meaning(const Known& indices, const std::vector<Probe>& probes) {
  using Kind = IndexMeaning::Kind;
  // Where one sequence's worth of rows serves all of the batch, only positions and fixed indices
  // can be meant.
  bool is_id = true;
  bool is_type = true;
  std::optional<int64_t> offset;
  std::optional<int64_t> fixed;
  bool is_position = true;
  bool is_fixed = true;
  for (size_t p = 0; p < probes.size(); ++p) {
    const Probe& probe = probes[p];
    const Tensor& tensor = indices.at[p];
    const size_t rank = tensor.dims.size();
    if (rank < 1 || rank > 2) return std::nullopt;
    const int64_t rows = rank == 2 ? tensor.dims[0] : 1;
    const int64_t columns = tensor.dims.back();
    if ((rows != 1 && rows != probe.batch) || (columns != probe.sequence && columns != 1)) {
      return std::nullopt;
    }
    const std::vector<int64_t> values = to_ints(tensor);
    for (int64_t row = 0; row < probe.batch; ++row) {
      for (int64_t i = 0; i < probe.lengths[static_cast<size_t>(row)]; ++i) {
        const int64_t value =
            values[static_cast<size_t>((rows == 1 ? 0 : row) * columns + (columns == 1 ? 0 : i))];
        const auto at = static_cast<size_t>(row * probe.sequence + i);
        is_id = is_id && value == probe.ids[at];
        is_type = is_type && value == probe.types[at];
        is_position = is_position && value - i == offset.value_or(value - i);
        is_fixed = is_fixed && value == fixed.value_or(value);
        offset = value - i;
        fixed = value;
      }
    }
  }
  if (is_id) return IndexMeaning{Kind::kTokenId, 0};
  if (is_type) return IndexMeaning{Kind::kTokenType, 0};
  if (is_position && offset) return IndexMeaning{Kind::kPosition, *offset};
  if (is_fixed && fixed) return IndexMeaning{Kind::kFixed, *fixed};
  return std::nullopt;
}

}  // namespace embedforge::raising
