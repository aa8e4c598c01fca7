// Products whose activations are quantized row by row (one scale and offset a token) in standard
// operators, as quantize/ writes them. With low = min x, range = max x - low over a row of x:
//
//   q = QuantizeLinear((x - low) / range, 1/255)              q in 0..255
//   y = MatMulInteger(q, w) * c * range + low * s             c[n] = scale[n] / 255
//                                                             s[n] = scale[n] * sum_k w[k, n]
//
// where x may be an activation times a constant for each channel. Channels whose constant is 0 may
// be kept float beside it: y + MatMul(Gather(activation, channels), rows).
#include <algorithm>
#include <cmath>

#include "graph/tensor.h"
#include "recognize/call.h"
#include "recognize/view.h"

namespace embedforge::recognize {
namespace {

using StatKind = Stat::Kind;

/// The row's bound of this kind, when `of` is that and no function of it.
const Stat* bound(const Ref& of, StatKind kind) {
  const auto* stat = of->get<Stat>();
  return stat != nullptr && stat->kind == kind && is_itself(stat->values) ? stat : nullptr;
}

Viewed stat_like(const Call& call, const Viewed& like, const Ref& in, StatKind kind) {
  return {make(call, Stat{in, kind, stat_points()}, 1), like.view};
}

/// Adds the stored integers of each column to `sums`. T is the type of the weight's elements.
template <typename T>
void add_columns(const Weight& w, std::vector<int64_t>& sums) {
  const std::span<const T> q = w.data().as<T>();
  const auto n = static_cast<size_t>(w.n);
  const auto k = static_cast<size_t>(w.k);
  if (w.transposed) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < k; ++j) sums[i] += q[i * k + j];
    }
    return;
  }
  std::vector<int16_t> some(n);  // of as many rows as fit
  constexpr size_t kRows = 128;
  for (size_t first = 0; first < k; first += kRows) {
    const size_t last = std::min(k, first + kRows);
    std::fill(some.begin(), some.end(), int16_t{0});
    for (size_t j = first; j < last; ++j) {
      const T* row = q.data() + j * n;
      for (size_t i = 0; i < n; ++i) some[i] = static_cast<int16_t>(some[i] + row[i]);
    }
    for (size_t i = 0; i < n; ++i) sums[i] += some[i];
  }
}

/// The column sums of the integers less their zero points, each times its scale.
std::vector<float> column_sums(const Weight& w) {
  std::vector<int64_t> sums(static_cast<size_t>(w.n), 0);
  const Int8Format& format = *w.int8();
  format.data.type == DataType::kInt8 ? add_columns<int8_t>(w, sums)
                                      : add_columns<uint8_t>(w, sums);
  std::vector<float> out;
  out.reserve(sums.size());
  for (size_t n = 0; n < sums.size(); ++n) {
    const auto sum = static_cast<double>(sums[n] - w.k * format.zero_points[n]);
    out.push_back(static_cast<float>(sum * format.scales[n]));
  }
  return out;
}

Viewed whole_product(const Call& call, const Viewed& at, const IntegerProduct& part,
                     const LowTerm& low) {
  const std::vector<float> sums = column_sums(part.weight);
  if (sums.size() != low.factors.size()) call.refuse("adds a term of another width");
  for (size_t n = 0; n < sums.size(); ++n) {
    const float step = std::fabs(part.weight.int8()->scales[n]);
    const float tolerance = 1e-4F * (std::fabs(sums[n]) + 127 * step);
    if (!(std::fabs(sums[n] - low.factors[n]) <= tolerance)) {
      call.refuse("adds to a quantized product a term that is not its weight's column sums");
    }
  }
  Linear out{part.in, part.weight, {}};
  auto& quant = out.weight.int8()->activation;
  quant = ActivationQuant{};
  if (const auto* scaled = part.in->get<Scaled>()) {
    quant->channel_scale = scaled->factors;
    out.in = scaled->in;
  }
  const int64_t n = out.weight.n;
  return Viewed{make(call, std::move(out), n), at.view};
}

/// The quantized product `at` with its float channels, `added`; nullopt when it isn't those. Both
/// are products.
std::optional<Viewed> with_float_channels(const Call& call, const Viewed& at, const Viewed& added) {
  const Linear& product = *at.of->get<Linear>();
  const Linear& floats = *added.of->get<Linear>();
  const auto* columns = floats.in->get<Picked>();
  if (columns == nullptr || columns->in != product.in || floats.weight.int8() != nullptr) {
    return std::nullopt;
  }
  const Int8Format* int8 = product.weight.int8();
  if (int8 == nullptr || !int8->activation || !int8->float_channels.empty() ||
      !floats.bias.empty()) {
    return std::nullopt;
  }
  if (!same_elements(at.view, added.view) || product.weight.n != floats.weight.n)
    call.refuse("adds float channels' product of other columns");
  Linear out = product;
  for (const int32_t channel : columns->channels) {
    const auto at_channel = static_cast<size_t>(channel);
    const std::vector<float>& scale = int8->activation->channel_scale;
    if (scale.empty() || scale[at_channel] != 0) {
      call.refuse("adds a channel that the quantized product has already");
    }
  }
  out.weight.int8()->float_channels = columns->channels;
  const std::vector<float> rows = to_floats(floats.weight.data());
  const auto count = static_cast<size_t>(floats.weight.k);
  const auto n = static_cast<size_t>(floats.weight.n);
  std::vector<float>& float_rows = out.weight.int8()->float_rows;
  float_rows.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t to = floats.weight.transposed ? (i % count) * n + i / count : i;
    float_rows[to] = rows[i];
  }
  return like(call, at, std::move(out));
}

/// True when the norm has a beta, so that a gamma can't follow.
bool is_complete(const Norm& norm) {
  return std::any_of(norm.beta.begin(), norm.beta.end(), [](float b) { return b != 0; });
}

/// True when a channel is left out, as no gamma does.
bool leaves_out(const std::vector<float>& factors) {
  return std::find(factors.begin(), factors.end(), 0.0F) != factors.end();
}

bool one_source(const EmbeddingTable& a, const EmbeddingTable& b) {
  return a.source == b.source && a.offset == b.offset && a.rows.dims[0] == b.rows.dims[0];
}

}  // namespace

Viewed row_bound(const Call& call, const Viewed& in, bool keep_axis) {
  Viewed out = stat_like(call, in, in.of,
                         call.node().op_type == "ReduceMax" ? StatKind::kMax : StatKind::kMin);
  out.view.axes.back() = {};
  if (!keep_axis) out.view.axes.pop_back();
  return out;
}

std::optional<Viewed> row_quantization(const Call& call, const Viewed& a, const Viewed& b,
                                       const std::string& op) {
  if (op == "Sub") {
    const Stat* low = bound(b.of, StatKind::kMin);
    if (low == nullptr) return std::nullopt;
    if (const Stat* high = bound(a.of, StatKind::kMax); high != nullptr && high->in == low->in) {
      return stat_like(call, a, low->in, StatKind::kRange);
    }
    if (a.of != low->in) return std::nullopt;
    return like(call, a, FromLow{a.of});
  }
  if (op == "Div") {
    const auto* part = a.of->get<FromLow>();
    const Stat* range = bound(b.of, StatKind::kRange);
    if (part == nullptr || range == nullptr || range->in != part->in) return std::nullopt;
    return like(call, a, UnitRow{part->in});
  }
  for (const bool swapped : {false, true}) {
    const Viewed& left = swapped ? b : a;
    const Viewed& right = swapped ? a : b;
    if (op == "Mul") {
      const auto* integers = left.of->get<IntegerProduct>();
      const Stat* range = bound(right.of, StatKind::kRange);
      if (integers == nullptr || !integers->by_row || range == nullptr) continue;
      if (integers->whole || range->in != integers->in) continue;
      IntegerProduct out = *integers;
      out.whole = true;
      for (float& scale : out.weight.int8()->scales) scale *= 255.0F;
      return like(call, left, out);
    }
    if (op == "Add") {
      const auto* product = left.of->get<Linear>();
      const auto* floats = right.of->get<Linear>();
      if (product != nullptr && floats != nullptr) {
        if (auto out = with_float_channels(call, left, right)) return out;
      }
      const auto* part = left.of->get<IntegerProduct>();
      const auto* low = right.of->get<LowTerm>();
      if (part == nullptr || !part->whole || low == nullptr || part->in != low->in) continue;
      return whole_product(call, left, *part, *low);
    }
  }
  return std::nullopt;
}

std::optional<Viewed> row_scaled(const Call& call, const Viewed& in,
                                 const std::vector<float>& factors) {
  if (const auto* integers = in.of->get<IntegerProduct>(); integers != nullptr) {
    if (!integers->by_row || integers->whole ||
        factors.size() != integers->weight.int8()->scales.size())
      return std::nullopt;
    IntegerProduct out = *integers;
    for (size_t n = 0; n < factors.size(); ++n) out.weight.int8()->scales[n] *= factors[n];
    return like(call, in, out);
  }
  if (const Stat* low = bound(in.of, StatKind::kMin); low != nullptr) {
    if (in.view.axes.empty() || !in.view.axes.back().empty()) return std::nullopt;
    Viewed out = in;
    const auto width = static_cast<int64_t>(factors.size());
    out.of = make(call, LowTerm{low->in, factors}, width);
    out.view.axes.back() = column_axis(width);
    return out;
  }
  // Of a value that has no columns to scale in advance (as a norm has while its gamma is still to
  // come): part of a quantization, or refused later.
  const auto* norm = in.of->get<Norm>();
  const bool plain = (norm == nullptr || is_complete(*norm) || leaves_out(factors)) &&
                     !is_any<Stat, QuantScale, Scores>(in.of);
  if (!plain || static_cast<int64_t>(factors.size()) != in.of->width ||
      !is_row_major(in.view, in.of->width)) {
    return std::nullopt;
  }
  return like(call, in, Scaled{in.of, factors});
}

Viewed pick_columns(const Call& call, const Viewed& in, const std::vector<int64_t>& channels) {
  if (!is_row_major(in.view, in.of->width)) call.refuse("picks columns of a part of each row");
  Picked out{in.of, {}};
  for (const int64_t channel : channels) {
    if (channel < 0 || channel >= in.of->width) call.refuse("picks a column that is not there");
    out.channels.push_back(static_cast<int32_t>(channel));
  }
  Viewed made = in;
  const auto width = static_cast<int64_t>(channels.size());
  made.view.axes.back() = column_axis(width);
  made.of = make(call, std::move(out), width);
  return made;
}

std::optional<Viewed> quantize_unit_rows(const Call& call, const Viewed& in) {
  const auto* unit = in.of->get<UnitRow>();
  if (unit == nullptr) return std::nullopt;
  const auto scale = call.scalar(1);
  const auto zero = call.has(2) ? call.scalar(2) : 0.0;
  const bool bytes = !call.has(2) || call.need_constant(2).tensor.type == DataType::kUint8;
  if (!scale || std::fabs(*scale * 255 - 1) > 1e-6 || zero != 0.0 || !bytes) {
    call.refuse("quantizes rows between 0 and 1 with other than 255 steps");
  }
  return like(call, in, Quantized{unit->in, true});
}

std::optional<Viewed> scaled_embedding(const Call& call, const Viewed& a, const Viewed& b) {
  for (const bool swapped : {false, true}) {
    const Viewed& rows = swapped ? b : a;
    const Viewed& scales = swapped ? a : b;
    const auto* table = rows.of->get<Embedding>();
    const auto* factor = scales.of->get<Embedding>();
    if (table == nullptr || factor == nullptr || scales.of->width != 1) continue;
    if (table->tables.size() != 1 || factor->tables.size() != 1) continue;
    Embedding out = *table;
    EmbeddingTable& made = out.tables[0];
    if (is_float_type(made.rows.type) || !made.scales.empty() ||
        !one_source(made, factor->tables[0])) {
      continue;
    }
    made.scales = to_floats(factor->tables[0].rows);
    made.zero_points.assign(made.scales.size(), 0);
    return like(call, rows, std::move(out));
  }
  return std::nullopt;
}

}  // namespace embedforge::recognize
