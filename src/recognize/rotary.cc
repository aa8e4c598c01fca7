// Rotary embeddings, however they are written: channels of a head times numbers by position, summed
// and put side by side, are kept as such (Mix) until attention uses them; then they must turn pairs
// of channels by angles that grow with the position.
#include <algorithm>
#include <cmath>

#include "graph/tensor.h"
#include "recognize/call.h"
#include "recognize/rotary_angles.h"

namespace embedforge::recognize {
namespace {

using Kind = Atom::Kind;

/// As many as the longest sequence of a probe has tokens.
size_t positions_of(const Call& call) {
  int64_t out = 0;
  for (const Probe& probe : call.probes()) {
    for (int64_t row = 0; row < probe.batch; ++row) out = std::max(out, probe.length(row));
  }
  return static_cast<size_t>(out);
}

/// The same axes over rows of heads * size columns, side by side.
View side_by_side(const View& view, int64_t size) {
  View out{view.axes, 0};
  for (Axis& axis : out.axes) {
    for (Atom& atom : axis) {
      if (atom.kind == Kind::kColumn) atom.stride = size;
    }
  }
  out.axes.back() = column_axis(size);
  return out;
}

Mix as_mix(const Call& call, const Viewed& in) {
  const auto heads = head_view(in.view);
  if (!heads) call.refuse("combines tokens' values with positions, but not head by head");
  const MapOf map = as_map(in.of);
  const auto factor = as_factor(map.values);
  if (!factor) call.refuse("combines tokens' values with positions after a function");
  const int64_t offset = heads->stride > 0 ? in.view.column % heads->stride : in.view.column;
  Mix out;
  const auto* mix = map.in->get<Mix>();
  if (mix != nullptr) {
    const auto width = static_cast<int64_t>(mix->columns.size());
    if (heads->heads > 1 && heads->stride != width) call.refuse("takes parts of rotated heads");
    out = *mix;
    out.columns.clear();
  } else {
    out = {{map.in, in.view.column - offset}, heads->heads, heads->stride, {}};
  }
  const size_t positions = positions_of(call);
  for (int64_t d = 0; d < heads->size; ++d) {
    const int64_t column = offset + d * heads->column_stride;
    if (mix != nullptr) {
      out.columns.push_back(mix->columns.at(static_cast<size_t>(column)));
    } else {
      out.columns.push_back({{column, Curve(positions, *factor)}});
    }
  }
  return out;
}

Viewed viewed(const Call& call, Mix mix, const View& like) {
  const auto size = static_cast<int64_t>(mix.columns.size());
  const int64_t width = mix.heads * size;
  return {make(call, std::move(mix), width), side_by_side(like, size)};
}

/// The distance between neighbours of each kind in a tensor that broadcasts to a view's axes.
struct Strides {
  int64_t row = 0, position = 0;
};

std::optional<Strides> strides_of(const Tensor& tensor, const View& view, size_t columns) {
  const size_t rank = view.axes.size();
  if (tensor.dims.size() > rank || tensor.dims.empty() ||
      tensor.dims.back() != static_cast<int64_t>(columns)) {
    return std::nullopt;
  }
  Strides out;
  int64_t stride = tensor.dims.back();
  for (size_t i = tensor.dims.size() - 1; i-- > 0;) {
    const Axis& axis = view.axes[i + rank - tensor.dims.size()];
    const int64_t dim = tensor.dims[i];
    if (dim != 1 && axis == sequence_axis()) {
      out.position = stride;
    } else if (dim != 1 && axis == batch_axis()) {
      out.row = stride;
    } else if (dim != 1) {
      return std::nullopt;
    }
    stride *= dim;
  }
  return out;
}

/// One curve for each of `columns` columns, from values that broadcast to the view's axes; nullopt
/// when they depend on more than position (or position among the tokens) and column.
std::optional<std::vector<Curve>> read_curves(const Call& call, const Known& known,
                                              const View& view, size_t columns,
                                              bool among_tokens = false) {
  std::vector<Curve> out(columns, Curve(positions_of(call), NAN));
  bool fits = true;
  for (size_t p = 0; fits && p < call.probes().size(); ++p) {
    const Probe& probe = call.probes()[p];
    const auto strides = strides_of(known.at[p], view, columns);
    if (!strides) return std::nullopt;
    const std::vector<double> values = to_doubles(known.at[p]);
    for (int64_t row = 0; row < probe.batch; ++row) {
      size_t tokens = 0;
      for (int64_t at = 0; at < probe.sequence; ++at) {
        if (!probe.attended(row, at)) continue;
        const size_t place = among_tokens ? tokens++ : static_cast<size_t>(at);
        const auto first = static_cast<size_t>(row * strides->row + at * strides->position);
        for (size_t c = 0; c < columns; ++c) {
          if (std::isnan(out[c][place])) out[c][place] = values[first + c];
          fits = fits && nearly(values[first + c], out[c][place]);
        }
      }
    }
  }
  if (fits) return out;
  return among_tokens ? std::nullopt : read_curves(call, known, view, columns, true);
}

Viewed times_curves(const Call& call, const Viewed& in, const std::vector<Curve>& curves) {
  Mix mix = as_mix(call, in);
  for (size_t c = 0; c < mix.columns.size(); ++c) {
    for (Mix::Term& term : mix.columns[c]) {
      for (size_t p = 0; p < term.factors.size(); ++p) term.factors[p] *= curves[c][p];
    }
  }
  return viewed(call, std::move(mix), in.view);
}

/// [.., n] rows of a table as curves: those of the positions 0, 1, ...
std::optional<std::vector<Curve>> table_curves(const Call& call, const Tensor& table,
                                               int64_t first_row) {
  const size_t positions = positions_of(call);
  if (table.dims.size() != 2 || first_row < 0 ||
      table.dims[0] < first_row + static_cast<int64_t>(positions)) {
    return std::nullopt;
  }
  const std::vector<double> values = to_doubles(table);
  const auto width = static_cast<size_t>(table.dims[1]);
  std::vector<Curve> out(width, Curve(positions));
  for (size_t p = 0; p < positions; ++p) {
    for (size_t c = 0; c < width; ++c)
      out[c][p] = values[(p + static_cast<size_t>(first_row)) * width + c];
  }
  return out;
}

/// Input `cache` of a RotaryEmbedding, by position.
std::vector<Curve> cache_curves(const Call& call, size_t cache, size_t position_ids) {
  std::optional<std::vector<Curve>> out;
  const Constant* table = call.constant(cache);
  if (table != nullptr && call.has(position_ids)) {
    const auto ids = call.known_or_constant(position_ids);
    const auto meaning = ids ? index_meaning(*ids, call.probes()) : std::nullopt;
    // One number is the position of the first token.
    const bool one = ids && ids->at[0].element_count() == 1;
    if (!meaning || (meaning->kind != IndexMeaning::Kind::kPosition && !one)) {
      call.refuse("has positions that are not those of the tokens");
    }
    out = table_curves(call, plain(*table), meaning->offset);
  } else if (const Known* known = call.known(cache)) {
    const auto half = known->at[0].dims.empty() ? 0 : known->at[0].dims.back();
    out = read_curves(call, *known, token_view(half), static_cast<size_t>(half));
  }
  if (!out) call.refuse("has cosines or sines that are no rows by position");
  return *out;
}

Ref turned_heads(const Call& call, Rotated rotated) {
  const int64_t width = rotated.heads * rotated.head_size;
  return make(call, std::move(rotated), width);
}

}  // namespace

Forms op::rotary_embedding(const Call& call) {
  const bool standard = call.node().domain.empty();
  const size_t ids = standard ? 3 : 1;
  const size_t caches = standard ? 1 : 2;
  const Viewed in = call.tokens(0);
  if (call.node().float_attribute("scale", 1) != 1) call.refuse("has a scale");
  const auto values =
      frequencies(cache_curves(call, caches, ids), cache_curves(call, caches + 1, ids));
  if (!values) call.refuse("has cosines and sines that are not those of angles by position");
  Rotary rotary{*values, call.node().int_attribute("interleaved", 0) != 0};
  const auto turned = static_cast<int64_t>(2 * rotary.frequencies.size());
  if (in.view.axes.size() == 3) {
    const int64_t width = column_size(in.view.axes.back()).value_or(0);
    const int64_t given = call.node().int_attribute("num_heads", 0);
    const int64_t heads = given > 0 ? given : width / turned;
    if (width == 0 || !same_axes(in.view, token_view(width)) || heads == 0 || width % heads != 0 ||
        width / heads < turned) {
      call.refuse("has an input that is no row of heads");
    }
    const Part from{in.of, in.view.column};
    return {Viewed{turned_heads(call, {from, heads, width / heads, rotary}), token_view(width)}};
  }
  const auto heads = head_view(in.view);
  if (!heads || heads->column_stride != 1 || heads->size < turned ||
      (heads->heads > 1 && heads->stride != heads->size)) {
    call.refuse("has an input that is no row of heads");
  }
  const Part from{in.of, in.view.column};
  return {Viewed{turned_heads(call, {from, heads->heads, heads->size, rotary}),
                 side_by_side(in.view, heads->size)}};
}

Viewed times_positions(const Call& call, const Viewed& in, const Known& factors_by_position) {
  const auto size = in.view.axes.empty() ? std::nullopt : column_size(in.view.axes.back());
  const auto curves =
      size ? read_curves(call, factors_by_position, in.view, static_cast<size_t>(*size))
           : std::nullopt;
  if (!curves) {
    call.refuse("combines tokens' values with something other than the padding mask or positions");
  }
  return times_curves(call, in, *curves);
}

std::optional<Viewed> times_table(const Call& call, const Viewed& a, const Viewed& b) {
  for (const bool swapped : {false, true}) {
    const Viewed& in = swapped ? b : a;
    const Viewed& by = swapped ? a : b;
    const auto* embedding = by.of->get<Embedding>();
    if (embedding == nullptr || in.of->get<Embedding>() != nullptr) continue;
    if (embedding->tables.size() != 1 || !embedding->tables[0].scales.empty()) continue;
    const EmbeddingTable& table = embedding->tables[0];
    const size_t rank = in.view.axes.size();
    const size_t own = by.view.axes.size();
    if (table.source != EmbeddingTable::Source::kPosition || own > rank) continue;
    bool fits = column_size(in.view.axes.back()) == column_size(by.view.axes.back());
    for (size_t i = 0; i + 1 < own; ++i) {
      const Axis& axis = by.view.axes[i];
      fits = fits && (axis.empty() || axis == in.view.axes[i + rank - own]);
    }
    const auto curves = fits ? table_curves(call, table.rows, table.offset) : std::nullopt;
    if (curves) return times_curves(call, in, *curves);
  }
  return std::nullopt;
}

Viewed scaled_mix(const Call& call, const Viewed& in, double factor) {
  Mix mix = *in.of->get<Mix>();
  for (auto& column : mix.columns) {
    for (Mix::Term& term : column) {
      for (double& value : term.factors) value *= factor;
    }
  }
  return like(call, in, std::move(mix));
}

Viewed add_mixes(const Call& call, const Viewed& a, const Viewed& b, bool subtract) {
  Mix sum = as_mix(call, a);
  const Mix more = as_mix(call, b);
  const bool fits = sum.in.of == more.in.of && sum.in.column == more.in.column &&
                    sum.heads == more.heads && sum.stride == more.stride &&
                    sum.columns.size() == more.columns.size() &&
                    dims_at(a.view, call.probes()[0]) == dims_at(b.view, call.probes()[0]);
  if (!fits) call.refuse("adds rotated values that don't lie the same way");
  for (size_t c = 0; c < sum.columns.size(); ++c) {
    for (const Mix::Term& term : more.columns[c]) {
      auto same = std::ranges::find(sum.columns[c], term.source, &Mix::Term::source);
      if (same == sum.columns[c].end()) {
        sum.columns[c].push_back({term.source, Curve(term.factors.size(), 0)});
        same = sum.columns[c].end() - 1;
      }
      for (size_t p = 0; p < term.factors.size(); ++p) {
        same->factors[p] += subtract ? -term.factors[p] : term.factors[p];
      }
    }
  }
  return viewed(call, std::move(sum), a.view);
}

Viewed join_columns(const Call& call, const std::vector<Viewed>& parts) {
  Mix out = as_mix(call, without_rounding(parts[0]));
  for (size_t i = 1; i < parts.size(); ++i) {
    const Mix more = as_mix(call, without_rounding(parts[i]));
    const bool fits = out.in.of == more.in.of && out.in.column == more.in.column &&
                      out.heads == more.heads && out.stride == more.stride;
    if (!fits) call.refuse("joins columns of different values");
    out.columns.insert(out.columns.end(), more.columns.begin(), more.columns.end());
  }
  return viewed(call, std::move(out), parts[0].view);
}

Viewed rotated(const Call& call, const Viewed& in, double* scale) {
  const auto* mix = in.of->get<Mix>();
  if (mix == nullptr) return in;
  const auto size = static_cast<int64_t>(mix->columns.size());
  int64_t first = mix->columns[0][0].source;
  for (const auto& column : mix->columns) {
    for (const Mix::Term& term : column) first = std::min(first, term.source);
  }
  double length = 0;  // of what was a channel by itself, at position 0
  for (const Mix::Term& term : mix->columns[0]) length = std::hypot(length, term.factors[0]);
  const auto rotary = length > 0 ? read_rotary(mix->columns, first, length) : std::nullopt;
  const bool fits = rotary && (mix->heads == 1 || mix->stride == size);
  if (!fits) call.refuse("attends with values that depend on the position other than by turning");
  *scale *= length;
  const Part from{mix->in.of, mix->in.column + first};
  return {turned_heads(call, {from, mix->heads, size, *rotary, in.of}), in.view};
}

}  // namespace embedforge::recognize
