#include "recognize/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "graph/tensor.h"

namespace embedforge::recognize {
namespace {

/// A deterministic stand-in for text: ids from 5 to 28, which any vocabulary has and no special
/// token is.
int64_t sample_id(int64_t i) { return 5 + (i * 7 + i / 3) % 24; }

constexpr int64_t kDifferent = std::numeric_limits<int64_t>::min();  // no index that repeats

/// Where tokens are if those of one id aren't counted: the offset of the others, their own index.
struct PaddingPlaces {
  std::optional<int64_t> offset, row;
  int64_t counted = 0;  // in the row so far
};

/// `mask` tells by row and position where tokens are.
template <typename Mask>
Probe make_probe(int64_t batch, int64_t sequence, std::span<const int64_t> padding_ids, Mask mask) {
  Probe probe{batch, sequence, {}, {}, {}, {padding_ids.begin(), padding_ids.end()}};
  size_t next = 0;
  for (int64_t row = 0; row < batch; ++row) {
    for (int64_t i = 0; i < sequence; ++i) {
      const bool token = mask(row, i);
      probe.mask.push_back(token ? 1 : 0);
      const bool padding_text = token && !padding_ids.empty() && i % 4 == 2;
      probe.ids.push_back(padding_text ? padding_ids[next++ % padding_ids.size()]
                          : token      ? sample_id(row * 31 + i)
                                       : 0);
      probe.types.push_back(token && i % 3 == 1 ? 1 : 0);
    }
  }
  return probe;
}

/// `check(value, row, position)` for every element, whose first axis is the batch and second (when
/// `by_token`) the sequence.
template <typename Check>
bool for_all(const Known& value, std::span<const Probe> probes, bool by_token, Check check) {
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

int64_t Probe::rank(int64_t row, int64_t position) const {
  const auto first = mask.begin() + row * sequence;
  return std::accumulate(first, first + position, int64_t{0});
}

std::vector<Probe> make_probes(int64_t longest, int64_t attended,
                               std::span<const int64_t> padding_ids) {
  std::vector<Probe> probes = {
      make_probe(2, 5, padding_ids, [](int64_t row, int64_t i) { return row == 0 || i < 3; }),
      make_probe(3, 11, padding_ids, [](int64_t row, int64_t i) {
        return row == 0 ? i % 3 == 1 : row == 1 || i >= 9;
      })};
  if (longest > 13) {
    probes.push_back(
        make_probe(1, longest, padding_ids, [=](int64_t, int64_t i) { return i < attended; }));
  }
  return probes;
}

std::vector<int64_t> possible_padding_ids(const Graph& graph) {
  constexpr int64_t kMost = 1 << 24;  // -1 and the like are sizes
  std::map<std::string, int64_t> scalars;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    const bool integer = tensor.type == DataType::kInt64 || tensor.type == DataType::kInt32;
    if (integer && tensor.element_count() == 1) scalars[name] = to_ints(tensor)[0];
  };
  for (const auto& [name, tensor] : graph.initializers) add(name, tensor);
  std::set<int64_t> found;
  for (const Node& node : graph.nodes) {
    if (node.op_type == "Constant") {
      const auto value = node.attributes.find("value");
      if (value == node.attributes.end()) continue;
      if (const auto* tensor = std::get_if<Tensor>(&value->second)) add(node.outputs[0], *tensor);
    }
    if (node.op_type != "Equal") continue;
    for (const std::string& input : node.inputs) {
      const auto scalar = scalars.find(input);
      if (scalar != scalars.end() && scalar->second >= 0 && scalar->second < kMost)
        found.insert(scalar->second);
    }
  }
  return {found.begin(), found.end()};
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

std::optional<InputRole> likely_role(const ValueInfo& input) {
  const bool integers = input.type == DataType::kInt64 || input.type == DataType::kInt32;
  if (!integers || (input.shape && input.shape->size() != 2)) return std::nullopt;
  if (const auto role = input_role(input.name)) return role;
  const auto named = [&](const char* part) { return input.name.find(part) != std::string::npos; };
  return named("mask")                       ? InputRole::kMask
         : named("type") || named("segment") ? InputRole::kTokenTypes
                                             : InputRole::kTokenIds;
}

Known probe_input(InputRole role, DataType type, std::span<const Probe> probes) {
  Known out;
  for (const Probe& probe : probes) {
    std::vector<int64_t> values = role == InputRole::kTokenTypes ? probe.types
                                  : role == InputRole::kMask     ? probe.mask
                                                                 : probe.ids;
    for (size_t i = 0; role == InputRole::kPositions && i < values.size(); ++i) {
      values[i] = static_cast<int64_t>(i) % probe.sequence;
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

bool is_token_mask(const Known& value, double attended, double padding,
                   std::span<const Probe> probes) {
  return for_all(value, probes, true,
                 [&](double x, const Probe& probe, int64_t row, int64_t position) {
                   return nearly(x, probe.attended(row, position) ? attended : padding);
                 });
}

bool is_length(const Known& value, double (*f)(double), std::span<const Probe> probes) {
  return for_all(value, probes, false, [&](double x, const Probe& probe, int64_t row, int64_t) {
    return nearly(x, f(static_cast<double>(probe.length(row))));
  });
}

bool is_last_token(const Known& value, std::span<const Probe> probes) {
  const auto is_place = [](double x, const Probe& probe, int64_t row, int64_t) {
    const auto last = static_cast<int64_t>(x);
    return last >= 0 && last < probe.sequence && probe.attended(row, last) &&
           probe.rank(row, last) + 1 == probe.length(row);
  };
  const auto before_count = [](double n) { return n - 1; };
  return for_all(value, probes, false, is_place) || is_length(value, before_count, probes);
}

std::optional<IndexMeaning> index_meaning(const Known& indices, std::span<const Probe> probes) {
  using Kind = IndexMeaning::Kind;
  // Where one sequence's worth of rows serves all of the batch, only positions and fixed indices
  // can be meant.
  bool is_id = true;
  bool is_type = true;
  std::optional<int64_t> offset;  // to the position, to the position among tokens, to 0
  std::optional<int64_t> offset_among_tokens;
  std::optional<int64_t> fixed;
  std::map<int64_t, PaddingPlaces> by_padding_id;  // if tokens of that id are not counted
  const auto same = [](std::optional<int64_t>& seen, int64_t value) {
    seen = value == seen.value_or(value) ? value : kDifferent;
  };
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
      int64_t among_tokens = 0;
      for (const int64_t id : probe.padding_ids) by_padding_id[id].counted = 0;
      for (int64_t i = 0; i < probe.sequence; ++i) {
        const int64_t id = probe.ids[probe.at(row, i)];
        if (!probe.attended(row, i)) {
          for (auto& [padding, places] : by_padding_id) places.counted += id != padding ? 1 : 0;
          continue;
        }
        const int64_t value =
            values[static_cast<size_t>((rows == 1 ? 0 : row) * columns + (columns == 1 ? 0 : i))];
        is_id = is_id && value == id;
        is_type = is_type && value == probe.types[probe.at(row, i)];
        same(offset, value - i);
        same(offset_among_tokens, value - among_tokens++);
        same(fixed, value);
        for (auto& [padding, places] : by_padding_id) {
          if (id == padding) {
            same(places.row, value);
          } else {
            same(places.offset, value - places.counted++);
          }
        }
      }
    }
  }
  if (is_id) return IndexMeaning{Kind::kTokenId};
  if (is_type) return IndexMeaning{Kind::kTokenType};
  if (offset && offset != kDifferent) return IndexMeaning{Kind::kPosition, *offset};
  if (offset_among_tokens && offset_among_tokens != kDifferent) {
    return IndexMeaning{Kind::kPosition, *offset_among_tokens, true};
  }
  for (const auto& [id, places] : by_padding_id) {
    if (places.offset.value_or(kDifferent) != kDifferent && places.row.value_or(0) != kDifferent)
      return IndexMeaning{Kind::kPosition, *places.offset, false, id, places.row.value_or(0)};
  }
  if (fixed && fixed != kDifferent) return IndexMeaning{Kind::kFixed, *fixed};
  return std::nullopt;
}

}  // namespace embedforge::recognize
