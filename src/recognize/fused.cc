// The fused operators of com.microsoft
// (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
#include <cmath>
#include <map>

#include "graph/tensor.h"
#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

/// One number a sequence: how many tokens it has.
Known lengths_of(const Known& mask) {
  Known out;
  for (const Tensor& each : mask.at) {
    const std::vector<int64_t> values = to_ints(each);
    const int64_t rows = each.dims.empty() ? 0 : each.dims[0];
    std::vector<int32_t> lengths(static_cast<size_t>(rows), 0);
    for (size_t i = 0; i < values.size(); ++i) {
      lengths[i * lengths.size() / values.size()] += static_cast<int32_t>(values[i]);
    }
    out.at.push_back(Tensor::from(DataType::kInt32, {rows}, std::move(lengths)));
  }
  return out;
}

struct EmbedInputs {
  std::vector<Constant> tables;  // word, position, segment
  std::vector<float> gamma, beta;
};

/// Sum of rows, then LayerNormalization; inputs 0 and 1 are the ids and segments.
Forms embed(const Call& call, const EmbedInputs& in, size_t mask, size_t positions) {
  const Known* ids = call.known(0);
  if (ids == nullptr) call.refuse("has token ids that are not the graph's input");
  Known position_ids = probe_input(InputRole::kPositions, DataType::kInt64, call.probes());
  if (call.has(positions)) {
    const auto given = call.known_or_constant(positions);
    if (!given) call.refuse("has positions that depend on the tokens' values");
    position_ids = *given;
  }
  Embedding sum;
  sum.tables.push_back(table_of(call, in.tables[0], *ids));
  if (in.tables.size() > 2) {
    const auto segments = call.known_or_constant(1);
    if (!segments) call.refuse("has no segments for its segment table");
    sum.tables.push_back(table_of(call, in.tables[2], *segments));
  }
  sum.tables.push_back(table_of(call, in.tables[1], position_ids));
  const int64_t width = sum.tables[0].rows.dims[1];
  const Viewed rows{make(call, std::move(sum), width), token_view(width)};
  const Viewed out = normalize_rows(call, rows, NormKind::kLayerNorm, in.gamma, in.beta,
                                    call.node().float_attribute("epsilon", 1e-12F));
  Form lengths = Unknown{"the mask_index output of a node without a mask"};
  if (call.has(mask)) {
    if (const Known* given = call.known(mask)) lengths = lengths_of(*given);
  }
  return {out, lengths, rows};
}

std::vector<float> need_floats(const Call& call, size_t i) {
  const auto values = call.floats(i);
  if (!values) call.refuse("has an input " + std::to_string(i) + " that is not constant");
  return *values;
}

int64_t head_count(const Call& call, int64_t width) {
  const int64_t heads = call.node().int_attribute("num_heads", 0);
  if (heads <= 0 || width % heads != 0)
    call.refuse("has a num_heads that doesn't divide its width");
  return heads;
}

double attention_scale(const Call& call, int64_t head_size) {
  const double scale = call.node().float_attribute("scale", 0);
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(head_size));
}

/// What the operator's own attributes, its attention bias and its mask (inputs) do to the scores.
void read_effects(const Call& call, size_t mask, size_t bias, Scores& scores) {
  if (call.node().int_attribute("do_rotary", 0) != 0) call.refuse("is rotary");
  if (call.node().int_attribute("unidirectional", 0) != 0) scores.causal = scores.masked = true;
  if (call.has(bias)) {
    const auto values = call.known_or_constant(bias);
    if (!values) call.refuse("has an attention bias that depends on the tokens' values");
    apply_effect(call, call.mask_effect(*values, MaskEffects::Kind::kAdditive), scores);
  }
  if (call.has(mask) || !scores.masked) check_mask_input(call, mask);
  scores.masked = true;
}

/// One value with the columns of q, k and v side by side.
Viewed joined_attention(const Call& call, const Viewed& qkv, size_t mask, size_t bias) {
  if (const auto* sizes = call.node().ints_attribute("qkv_hidden_sizes")) {
    if (sizes->size() != 3 || (*sizes)[0] != (*sizes)[1] || (*sizes)[0] != (*sizes)[2]) {
      call.refuse("has q, k and v of different widths");
    }
  }
  const int64_t width = qkv.of->width / 3;
  const int64_t heads = head_count(call, width);
  if (qkv.of->width != 3 * width || !same_axes(qkv.view, token_view(qkv.of->width))) {
    call.refuse("has a weight that is not q, k and v side by side");
  }
  Scores scores{{qkv.of, 0}, {qkv.of, width}, heads, heads, width / heads};
  scores.scale = attention_scale(call, width / heads);
  read_effects(call, mask, bias, scores);
  return attention(call, scores, {qkv.of, 2 * width});
}

}  // namespace

Forms op::embed_layer_norm(const Call& call) {
  EmbedInputs in{
      {call.need_constant(2), call.need_constant(3)}, need_floats(call, 5), need_floats(call, 6)};
  if (call.has(4)) in.tables.push_back(call.need_constant(4));
  return embed(call, in, 7, 8);
}

Forms op::quantized_embed_layer_norm(const Call& call) {
  EmbedInputs in;
  in.tables = {quantized_constant(call, 2, 8, 13, 0), quantized_constant(call, 3, 9, 14, 0)};
  if (call.has(4)) in.tables.push_back(quantized_constant(call, 4, 10, 15, 0));
  in.gamma = constant_floats(quantized_constant(call, 5, 11, 16, 0));
  in.beta = constant_floats(quantized_constant(call, 6, 12, 17, 0));
  return embed(call, in, 7, kNone);
}

/// Attention(input, weights, bias, mask_index, past, attention_bias, past_sequence_length)
Forms op::packed_attention(const Call& call) {
  if (call.has(4) || call.has(6)) call.refuse("has a past");
  const Viewed qkv = product(call, call.need_viewed(0), call.need_constant(1), {});
  return {joined_attention(call, add_bias(call, qkv, 2), 3, 5)};
}

/// QAttention(input, weight, bias, input_scale, weight_scale, mask_index, input_zero_point,
/// weight_zero_point, past)
Forms op::quantized_attention(const Call& call) {
  if (call.has(8)) call.refuse("has a past");
  Viewed in = call.need_viewed(0);
  if (const auto* quantized = in.of->get<Quantized>()) {
    in.of = Ref(quantized->in);
  } else if (in.of->get<Rounded>() == nullptr) {
    call.refuse("has an input that no quantization made");
  }
  const Viewed qkv = integer_product(call, in, quantized_constant(call, 1, 4, 7, 1));
  return {joined_attention(call, add_bias(call, qkv, 2), 5, kNone)};
}

/// MultiHeadAttention(query, key, value, bias, key_padding_mask, attention_bias, past_key,
/// past_value)
Forms op::multi_head_attention(const Call& call) {
  if (call.has(6) || call.has(7)) call.refuse("has a past");
  std::vector<Part> operands;
  int64_t width = 0;
  for (size_t i = 0; i < 3; ++i) {
    Viewed in = call.tokens(i);
    double scale = 1;
    in = rotated(call, in, &scale);
    if (!nearly(scale, 1)) call.refuse("has a rotary embedding that changes lengths");
    const auto columns = in.view.axes.empty() ? std::nullopt : column_size(in.view.axes.back());
    if (!columns || !same_axes(in.view, token_view(*columns))) {
      call.refuse("has q, k or v that are not [batch, sequence, width]");
    }
    if (width != 0 && *columns != width) call.refuse("has q, k and v of different widths");
    width = *columns;
    if (call.has(3)) {
      if (in.of->width != width) call.refuse("has a bias for a part of a row");
      const std::vector<float> bias = need_floats(call, 3);
      if (static_cast<int64_t>(bias.size()) != 3 * width)
        call.refuse("has a bias that doesn't fit");
      const auto first = bias.begin() + static_cast<ptrdiff_t>(i) * width;
      in = add_vector(call, in, std::vector<float>(first, first + width));
    }
    operands.push_back({in.of, in.view.column});
  }
  const int64_t heads = head_count(call, width);
  Scores scores{operands[0], operands[1], heads, heads, width / heads};
  scores.scale = attention_scale(call, width / heads);
  read_effects(call, 4, 5, scores);
  return {attention(call, scores, operands[2])};
}

/// SkipLayerNormalization(input, skip, gamma, beta, bias): normalizes input + skip + bias; the sum
/// is its output 3
Forms op::skip_layer_norm(const Call& call) {
  const bool rms = call.node().op_type == "SkipSimplifiedLayerNormalization";
  const Viewed& skip = call.need_viewed(1);
  const Viewed in = add_bias(call, call.tokens(0), rms ? 3 : 4);
  const Viewed sum = residual(call, in, without_rounding(skip));
  std::vector<float> beta;
  if (!rms && call.has(3)) beta = need_floats(call, 3);
  const Form out =
      normalize_rows(call, sum, rms ? NormKind::kRmsNorm : NormKind::kLayerNorm,
                     need_floats(call, 2), beta, call.node().float_attribute("epsilon", 1e-12F));
  const Unknown unused{"a training output of SkipLayerNormalization"};
  return {out, unused, unused, sum};
}

Forms op::bias_gelu(const Call& call) {
  const std::string& op = call.node().op_type;
  const Viewed in = add_bias(call, call.tokens(0), 1);
  const bool tanh = op == "FastGelu";
  return {apply_activation(call, in, tanh ? Activation::kGeluTanh : Activation::kGelu)};
}

Viewed add_bias(const Call& call, const Viewed& in, size_t i) {
  if (!call.has(i)) return in;
  const std::vector<float> bias = need_floats(call, i);
  if (static_cast<int64_t>(bias.size()) != in.of->width) call.refuse("has a bias that doesn't fit");
  return add_vector(call, in, bias);
}

Viewed attention(const Call& call, const Scores& scores, const Part& v) {
  const int64_t width = scores.heads * scores.head_size;
  return Viewed{make(call, Context{scores, v}, width), token_view(width)};
}

void check_mask_input(const Call& call, size_t i) {
  if (!call.has(i)) {
    if (call.setting().has_mask_input) call.refuse("attends to padding: it has no mask");
    return;
  }
  const std::vector<Probe>& probes = call.probes();
  const auto mask = call.known_or_constant(i);
  const bool fits =
      mask && (is_token_mask(*mask, 1, 0, probes) ||
               (mask->at[0].dims.size() == 1 && is_length(
                                                    *mask, [](double n) { return n; }, probes)));
  if (!fits) call.refuse("masks attention by something other than the padding of attention_mask");
}

}  // namespace embedforge::recognize
