// Sentence embeddings inside the graph: sums over tokens, divided by how many there are.
#include <cmath>

#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

double itself(double n) { return n; }
double inverse(double n) { return 1 / n; }
double root(double n) { return std::sqrt(n); }

bool is_tokens(const Viewed& in) {
  bool tokens = false;
  return is_row_major(in.view, in.of->width, &tokens) && tokens && in.view.axes.size() == 3;
}

Viewed pooled(const Call& call, const Ref& in, Pooling kind, const View& view) {
  return {make(call, Pool{in, kind, false}, in->width), view};
}

}  // namespace

/// GatherND of the last token of each sequence.
Forms op::gather_nd(const Call& call) {
  const Viewed in = call.tokens(0);
  const Known* places = call.known(1);
  const bool fits = is_tokens(in) && places != nullptr && places->at[0].dims.size() == 2 &&
                    call.node().int_attribute("batch_dims", 0) == 1 &&
                    is_last_token(*places, call.probes());
  if (!fits) call.refuse("picks tokens other than the last of each sequence");
  return {pooled(call, in.of, Pooling::kLast, sequence_view(in.of->width))};
}

Viewed times_known(const Call& call, const Viewed& in, const Known& known, bool divide) {
  const std::vector<Probe>& probes = call.probes();
  if (!divide && is_tokens(in) && is_token_mask(known, 1, 0, probes)) {
    return like(call, in, Masked{in.of, false});
  }
  const auto* sum = in.of->get<RowSum>();
  if (sum == nullptr && !divide) return times_positions(call, in, known);
  if (sum == nullptr) {
    call.refuse("combines tokens' values with something other than the padding mask");
  }
  if (is_length(known, divide ? itself : inverse, probes)) {
    return pooled(call, sum->in, Pooling::kMean, in.view);
  }
  if (divide && is_length(known, root, probes)) {
    return pooled(call, sum->in, Pooling::kMeanSqrtLength, in.view);
  }
  call.refuse("divides a sum of tokens by something other than their number");
}

Viewed fill_padding(const Call& call, const Viewed& in, const Known& condition, bool keeps_if_true,
                    double fill) {
  const bool fits = is_tokens(in) && is_token_mask(condition, keeps_if_true ? 1 : 0,
                                                   keeps_if_true ? 0 : 1, call.probes());
  const bool low = fill <= kVeryNegative;
  if (!fits || (fill != 0 && !low)) call.refuse("replaces tokens other than padding");
  return like(call, in, Masked{in.of, low});
}

Forms pool_tokens(const Call& call, const Viewed& in, size_t axis) {
  if (!is_tokens(in) || axis != 1) call.refuse("reduces an axis other than the sequence");
  View view = in.view;
  view.axes[1] = {};
  if (call.node().int_attribute("keepdims", 1) == 0) view.axes.erase(view.axes.begin() + 1);
  const auto* masked = in.of->get<Masked>();
  if (call.node().op_type == "ReduceMax" && masked != nullptr && masked->low) {
    return {pooled(call, masked->in, Pooling::kMax, view)};
  }
  if (call.node().op_type != "ReduceSum" || masked == nullptr || masked->low) {
    call.refuse("pools padding together with tokens");
  }
  return {Viewed{make(call, RowSum{masked->in}, in.of->width), view}};
}

Viewed pool_by_product(const Call& call, const Known& mask, const Viewed& in) {
  // [batch, 1, sequence] times [batch, sequence, width]
  if (!is_tokens(in)) call.refuse("multiplies something known by a part of the tokens' values");
  Known by_token;
  for (const Tensor& each : mask.at) {
    Tensor tensor = each;
    if (tensor.dims.size() != 3 || tensor.dims[1] != 1) {
      call.refuse("multiplies the tokens' values by something other than the padding mask");
    }
    tensor.dims.erase(tensor.dims.begin() + 1);
    by_token.at.push_back(std::move(tensor));
  }
  View view = in.view;
  view.axes[1] = {};
  const std::vector<Probe>& probes = call.probes();
  if (!is_token_mask(by_token, 1, 0, probes)) {
    call.refuse("multiplies the tokens' values by something other than the padding mask");
  }
  return Viewed{make(call, RowSum{in.of}, in.of->width), view};
}

}  // namespace embedforge::recognize
