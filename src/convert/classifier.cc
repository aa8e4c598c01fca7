// Heads of ...ForSequenceClassification: a layer or two on the first token. Cross-encoders have one
// label.
#include "convert/architectures.h"
#include "convert/blocks.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

struct ClassifierTensors {
  const char* model_type;
  const char* dense;  // in the checkpoint; "" for none
  const char* activation;
  const char* out;
};

/// transformers 4.57, modeling_*.py
constexpr ClassifierTensors kClassifiers[] = {
    {"bert", "bert.pooler.dense", "tanh", "classifier"},
    {"roberta", "classifier.dense", "tanh", "classifier.out_proj"},
    {"xlm-roberta", "classifier.dense", "tanh", "classifier.out_proj"},
    {"camembert", "classifier.dense", "tanh", "classifier.out_proj"},
    {"mpnet", "classifier.dense", "tanh", "classifier.out_proj"},
    {"distilbert", "pre_classifier", "relu", "classifier"},
};

int64_t label_count(const JsonFile& config) {
  const nlohmann::json* names = config.find("id2label");
  if (names != nullptr && names->is_object()) return static_cast<int64_t>(names->size());
  return config.integer("num_labels", 2);
}

}  // namespace

void add_classifier(const EncoderSource& source, BuiltEncoder& encoder) {
  const std::string type = source.config.string("model_type", "");
  for (const ClassifierTensors& head : kClassifiers) {
    if (type != head.model_type) continue;
    const int64_t hidden = encoder.hidden_size;
    const int64_t labels = label_count(source.config);
    Graph& graph = encoder.graph;
    Blocks blocks(source.tensors, "", graph, source.used);
    const std::string first = blocks.build().add(
        "head.first_token", "Gather",
        {"last_hidden_state", blocks.build().constant("head.first", Tensor::from_ints({}, {0}))},
        {{"axis", int64_t{1}}});
    const std::string dense = blocks.linear(head.dense, first, hidden, hidden, Bias::kAdded);
    const std::string active = blocks.activation("head.activation", head.activation, dense);
    const std::string out = blocks.linear(head.out, active, hidden, labels, Bias::kAdded);
    blocks.build().add("logits", "Identity", {out});
    graph.outputs = {{"logits", DataType::kFloat, {{std::string("batch"), labels}}}};
    return;
  }
  throw_not_supported(source.config.name() + ": the sequence classification head of model_type \"" +
                      type +
                      "\" is not supported (supported: bert, roberta, xlm-roberta, "
                      "camembert, mpnet, distilbert)");
}

}  // namespace embedforge
