// NomicBERT (nomic-embed-text v1 and v1.5): BERT with rotary positions, a gated feed-forward layer
// and norms after each part. config.json has GPT-2's names, or those of transformers 5's
// NomicBertConfig; the tensors have the first names (one product for q, k and v) or the second,
// whichever it is.
#include <cmath>

#include "convert/architectures.h"
#include "convert/blocks.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

[[noreturn]] void refuse(const JsonFile& config, const std::string& what) {
  throw_not_supported(config.name() + ": " + what + " is not supported for nomic_bert");
}

struct Nomic {
  explicit Nomic(const JsonFile& config) {
    if (config.find("hidden_size") != nullptr) {
      read_new(config);
    } else {
      read_old(config);
    }
    check_heads(config, hidden, heads);
  }

  int64_t hidden = 0, heads = 0, layers = 0, inner = 0;
  float epsilon = 0;
  double theta = 0;
  Bias qkv_bias = Bias::kNone, up_bias = Bias::kNone, down_bias = Bias::kNone;
  std::string gate;
  int64_t vocabulary = 0, types = 0;

 private:
  void read_new(const JsonFile& config) {
    hidden = config.positive("hidden_size");
    heads = config.positive("num_attention_heads");
    layers = layer_count(config, "num_hidden_layers");
    inner = config.positive("intermediate_size");
    epsilon = static_cast<float>(config.number("layer_norm_eps", 1e-12));
    theta = rotary_base(config, "", "rope_theta", 1000);
    gate = config.string("hidden_act", "silu");
    vocabulary = config.positive("vocab_size");
    types = config.positive("type_vocab_size");
    if (config.integer("head_dim", hidden / heads) * heads != hidden)
      refuse(config, "head_dim other than hidden_size / num_attention_heads");
  }

  void read_old(const JsonFile& config) {
    hidden = config.positive("n_embd");
    heads = config.positive("n_head");
    layers = layer_count(config, "n_layer");
    inner = config.integer("n_inner", 0) > 0 ? config.positive("n_inner") : 4 * hidden;
    epsilon = static_cast<float>(config.number("layer_norm_epsilon", 1e-12));
    theta = config.number("rotary_emb_base", 10000);
    const auto bias = [&](const char* key) {
      return config.boolean(key, true) ? Bias::kAdded : Bias::kNone;
    };
    qkv_bias = bias("qkv_proj_bias");
    up_bias = bias("mlp_fc1_bias");
    down_bias = bias("mlp_fc2_bias");
    for (const char* key : {"prenorm", "use_rms_norm", "parallel_block", "rotary_emb_interleaved",
                            "causal", "scale_attn_by_inverse_layer_idx"}) {
      expect_setting(config, key, false);
    }
    if (config.number("rotary_emb_fraction", 0) != 1)
      refuse(config, "rotary_emb_fraction other than 1");
    for (const char* key : {"rotary_emb_scale_base", "rotary_scaling_factor"}) {
      if (config.find(key) != nullptr && config.number(key, 0) != 0) refuse(config, key);
    }
    if (config.integer("num_experts", 0) > 0) refuse(config, "a mixture of experts");
    const std::string kind = config.string("activation_function", "swiglu");
    if (kind != "swiglu" && kind != "geglu") refuse(config, "activation_function \"" + kind + "\"");
    gate = kind == "swiglu" ? "silu" : "gelu";
    vocabulary = config.positive("vocab_size");
    const int64_t multiple = std::max<int64_t>(1, config.integer("pad_vocab_size_multiple", 1));
    vocabulary = (vocabulary + multiple - 1) / multiple * multiple;
    types = config.integer("type_vocab_size", 0);
  }
};

/// What the tensors of a layer are called.
struct Names {
  const char *embeddings_norm, *layers, *attention_out, *up, *gate, *down, *norm1, *norm2;
  bool joined;  // q, k and v are one product
};
constexpr Names kOldNames = {"emb_ln",    "encoder.layers.", ".attn.out_proj",
                             ".mlp.fc11", ".mlp.fc12",       ".mlp.fc2",
                             ".norm1",    ".norm2",          true};
constexpr Names kNewNames = {"embeddings.LayerNorm",
                             "layers.",
                             ".self_attn.o_proj",
                             ".mlp.up_proj",
                             ".mlp.gate_proj",
                             ".mlp.down_proj",
                             ".post_attention_layernorm",
                             ".post_mlp_layernorm",
                             false};

std::string layer(Blocks& blocks, const Nomic& sizes, const Names& names, const std::string& name,
                  const std::string& hidden, const std::string& output) {
  GraphBuilder& build = blocks.build();
  const int64_t h = sizes.hidden;
  const int64_t size = h / sizes.heads;
  const std::string qkv =
      names.joined ? blocks.linear(name + ".attn.Wqkv", hidden, h, 3 * h, sizes.qkv_bias) : "";
  const auto part = [&](const std::string& which, int64_t at) {
    if (!names.joined) {
      const std::string own = name + ".self_attn." + which + "_proj";
      return blocks.heads(blocks.linear(own, hidden, h, h, sizes.qkv_bias), sizes.heads, size);
    }
    const std::string columns =
        build.add(name + ".attn." + which, "Slice",
                  {qkv, build.integers("qkv.begin_" + std::to_string(at), {at * h}),
                   build.integers("qkv.end_" + std::to_string(at), {(at + 1) * h}),
                   build.integers("axis.third", {2})});
    return blocks.heads(columns, sizes.heads, size);
  };
  const std::string q = blocks.rotated(part("q", 0), size, sizes.theta);
  const std::string k = blocks.rotated(part("k", 1), size, sizes.theta);
  const std::string keys =
      build.add(k + ".swapped", "Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const std::string context =
      blocks.attention(name + ".attn", q, keys, part("v", 2),
                       1.0F / std::sqrt(static_cast<float>(size)), blocks.mask(), h);
  const std::string attended =
      blocks.linear(name + names.attention_out, context, h, h, sizes.qkv_bias);
  const std::string residual = build.add(name + ".attn.residual", "Add", {attended, hidden});
  const std::string middle = blocks.layer_norm(name + names.norm1, residual, h, sizes.epsilon,
                                               Bias::kAdded, name + ".norm1.output");
  const std::string up = blocks.linear(name + names.up, middle, h, sizes.inner, sizes.up_bias);
  const std::string gate =
      blocks.activation(name + ".mlp.gate", sizes.gate,
                        blocks.linear(name + names.gate, middle, h, sizes.inner, sizes.up_bias));
  const std::string gated = build.add(name + ".mlp.gated", "Mul", {up, gate});
  const std::string down = blocks.linear(name + names.down, gated, sizes.inner, h, sizes.down_bias);
  const std::string sum = build.add(name + ".mlp.residual", "Add", {down, middle});
  return blocks.layer_norm(name + names.norm2, sum, h, sizes.epsilon, Bias::kAdded, output);
}

}  // namespace

BuiltEncoder build_nomic_bert(const EncoderSource& source) {
  const Nomic sizes(source.config);
  BuiltEncoder out{encoder_graph("nomic_bert", source.opset, sizes.types > 0), sizes.hidden, ""};
  out.prefix = find_prefix(source.tensors, "embeddings.word_embeddings.weight",
                           source.tensors.contains("nomic_bert.embeddings.word_embeddings.weight")
                               ? "nomic_bert."
                               : "bert.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  std::string x =
      blocks.rows("embeddings.word_embeddings", "input_ids", sizes.vocabulary, sizes.hidden);
  if (sizes.types > 0) {
    const std::string types = blocks.rows("embeddings.token_type_embeddings", "token_type_ids",
                                          sizes.types, sizes.hidden);
    x = blocks.build().add("embeddings.add_types", "Add", {x, types});
  }
  const Names& names = blocks.has("emb_ln.weight") ? kOldNames : kNewNames;
  x = blocks.layer_norm(names.embeddings_norm, x, sizes.hidden, sizes.epsilon, Bias::kAdded,
                        "emb_ln.output");
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string name = names.layers + std::to_string(i);
    x = layer(blocks, sizes, names, name, x,
              i + 1 == sizes.layers ? "last_hidden_state" : name + ".norm2.output");
  }
  add_hidden_output(out.graph, x, sizes.hidden);
  return out;
}

}  // namespace embedforge
