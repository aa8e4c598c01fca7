// Takes: an operator's name. Gives: what makes forms of its outputs from those of its inputs.
// Never: looks at other nodes.
#pragma once

#include <string>
#include <vector>

#include "recognize/form.h"

namespace embedforge::recognize {

class Call;
using Forms =
    std::vector<Form>;  // of the outputs; none: the operator has no say about these inputs
using Handler = Forms (*)(const Call&);

struct Operator {
  const char* domain;
  std::vector<const char*> op_types;
  Handler handler;
  bool constants = false;  // it has a say about constants and known values, too
  bool rounds = false;     // it takes for exact what the file rounds
};

namespace op {  // each in the file of its theme
Forms attention(const Call& call);
Forms bias_gelu(const Call& call);
Forms binary(const Call& call);
Forms cast(const Call& call);
Forms clip(const Call& call);
Forms concat(const Call& call);
Forms dequantize(const Call& call);
Forms dynamic_quantize(const Call& call);
Forms dynamic_quantize_matmul(const Call& call);
Forms embed_layer_norm(const Call& call);
Forms expand(const Call& call);
Forms fused_matmul(const Call& call);
Forms gather(const Call& call);
Forms gather_nd(const Call& call);
Forms gelu(const Call& call);
Forms gemm(const Call& call);
Forms identity(const Call& call);
Forms is_nan(const Call& call);
Forms layer_normalization(const Call& call);
Forms lp_normalization(const Call& call);
Forms matmul(const Call& call);
Forms matmul_integer(const Call& call);
Forms matmul_integer_to_float(const Call& call);
Forms multi_head_attention(const Call& call);
Forms packed_attention(const Call& call);
Forms quantize(const Call& call);
Forms quantized_attention(const Call& call);
Forms quantized_embed_layer_norm(const Call& call);
Forms reduce(const Call& call);
Forms reshape(const Call& call);
Forms rotary_embedding(const Call& call);
Forms shape(const Call& call);
Forms skip_layer_norm(const Call& call);
Forms slice(const Call& call);
Forms softmax(const Call& call);
Forms split(const Call& call);
Forms transpose(const Call& call);
Forms unary(const Call& call);
Forms where(const Call& call);
}  // namespace op

/// nullptr for one that isn't known.
const Operator* find_operator(const Node& node);

}  // namespace embedforge::recognize
