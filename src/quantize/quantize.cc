#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/atomic_file.h"
#include "base/threads.h"
#include "config/model_folder.h"
#include "convert/converted_model.h"
#include "embed/head.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "graph/read_onnx.h"
#include "graph/tensor.h"
#include "graph/verify.h"
#include "graph/write_onnx.h"
#include "plan/raise.h"
#include "quantize/calibrate.h"
#include "quantize/measure.h"
#include "quantize/rewrite.h"
#include "quantize/target.h"
#include "quantize/texts.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
using namespace quantization;  // NOLINT(google-build-using-namespace): this module's own

constexpr size_t kQuickTexts = 20;

/// No NaN anywhere, and no infinity in what becomes integers (masks have some).
void check_finite(const Graph& graph, const std::vector<Product>& products) {
  std::set<std::string> rounded;
  for (const Product& p : products) rounded.insert(p.weight);
  for (const Node& node : graph.nodes) {
    if (node.op_type == "Gather") rounded.insert(node.inputs.at(0));
  }
  for (const auto& [name, tensor] : graph.initializers) {
    if (!is_float_type(tensor.type)) continue;
    const bool finite = rounded.contains(name);
    for (const float v : to_floats(tensor)) {
      if (std::isnan(v) || (finite && std::isinf(v))) {
        throw_bad_input("tensor '" + name +
                        "' has a value that is not finite; the file is damaged");
      }
    }
  }
}

size_t count_float_products(const Graph& graph) {
  return static_cast<size_t>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
        const bool weighted = node.op_type == "MatMul" || node.op_type == "Gemm";
        if (!weighted) return false;
        const auto found = graph.initializers.find(node.inputs.at(1));
        return found != graph.initializers.end() && found->second.dims.size() == 2;
      }));
}

void check_options(const QuantizeOptions& options) {
  if (options.method == QuantizeMethod::kStatic && options.calibration.empty() &&
      options.default_texts == DefaultTexts::kNone) {
    throw_usage("static quantization needs calibration texts; choose built-in ones or give some");
  }
  if (!(options.target_cosine >= 0 && options.target_cosine <= 1))
    throw_usage("the target cosine must be between 0 and 1");
}

/// What the model folder says.
struct Settings {
  ModelConfig config;          // with no longer texts than the graph takes
  std::vector<HeadStep> head;  // empty for a graph that pools itself or doesn't run here
};

Settings settings_of(const ResolvedModel& resolved, const Graph& graph) {
  Settings out{read_model_config(resolved.folder), {}};
  Program program;
  try {
    program = raise(graph);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotSupported) throw;
    return out;
  }
  int64_t& longest = out.config.max_length;
  const auto most = static_cast<int64_t>(program.max_positions);
  if (most > 0) longest = longest > 0 ? std::min(longest, most) : most;
  if (!program.pools_itself) out.head = read_head(out.config, std::nullopt, program.hidden_size);
  return out;
}

class Quantization {
 public:
  Quantization(const QuantizeOptions& options, const ResolvedModel& resolved, const Graph& original)
      : options_(options),
        original_(original),
        settings_(settings_of(resolved, original)),
        products_(find_products(original, options.excluded)),
        threads_(options.threads > 0 ? options.threads : available_threads()) {
    if (products_.empty())
      throw_not_supported("the graph has no MatMul with a constant matrix that could be quantized");
    check_finite(original, products_);
  }

  /// The quantized graph, its metadata filled in.
  Graph run(QuantizeResult& result) {
    result.float_products = count_float_products(original_) - products_.size();
    const TextSplit texts = split_texts(options_, settings_.config);
    const std::vector<float> expected = float_embeddings(texts);
    Calibrated decided = decide(texts, result);
    Graph graph = original_;
    quantize_graph(graph, products_, decided.products);
    if (!expected.empty()) measure(graph, texts, expected, result);
    std::vector<bool> kept(products_.size(), false);
    if (options_.target_cosine > 0) {
      if (expected.empty())
        throw_not_supported("a target cosine needs a model that the native engine can run");
      const TargetSearch search{
          original_,      products_,        decided.products,       texts.held,       expected,
          settings_.head, options_.threads, options_.target_cosine, options_.progress};
      kept = search_target(search, mean(result.cosines), result.kept_float);
      if (!result.kept_float.empty()) {
        graph = keep_float(original_, products_, decided.products, kept);
        measure(graph, texts, expected, result);
      }
      result.target_reached = mean(result.cosines) >= options_.target_cosine;
      result.float_products += result.kept_float.size();
    }
    for (size_t i = 0; i < products_.size(); ++i) {
      if (kept[i]) continue;
      const auto channels = decided.products[i].input.float_channels.size();
      result.layers.push_back(
          {products_[i].node, decided.errors[i], static_cast<int64_t>(channels)});
    }
    describe(result, graph);
    return graph;
  }

 private:
  /// Of the held texts; empty for a graph that the engine can't run.
  std::vector<float> float_embeddings(const TextSplit& texts) const {
    try {
      report("reading", 0, 1);
      return sentence_embeddings(original_, texts.held.batch(), settings_.head, options_.threads);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotSupported) throw;
      return {};
    }
  }

  Calibrated decide(const TextSplit& texts, QuantizeResult& result) {
    const bool dynamic = options_.method == QuantizeMethod::kDynamic;
    const bool quick = !texts.given && dynamic && options_.default_texts != DefaultTexts::kFull;
    const TokenBatch batch =
        quick ? texts.used.first(kQuickTexts) : texts.used.first(texts.used.texts());
    CalibrateOptions how{.by_inputs = !quick, .weights = weight_range(), .ranges = {}};
    if (!dynamic) how.ranges = options_.calibrate_method;
    how.progress = [this](size_t done, size_t all) { report("calibrating", done, all); };
    Calibrated out;
    try {
      out = calibrate(original_, products_, batch, threads_, how);
      result.calibration_texts = std::min(batch.sequences(), texts.count);
      result.own_texts = !texts.given && texts.count > 0;
    } catch (const Error& error) {
      if (!quick || error.code() != ErrorCode::kNotSupported) throw;
      result.note = std::string("no texts were used: ") + error.what();
      out = {};
    }
    out.products.resize(products_.size());
    out.errors.resize(products_.size(), 0);
    if (dynamic) {
      round_the_rest(out.products);
    } else {
      keep_the_rest_float(out, result);
    }
    return out;
  }

  /// A constant range needs values to calibrate with: products that got none, such as a
  /// classifier's on pooled rows, stay float.
  void keep_the_rest_float(Calibrated& out, QuantizeResult& result) {
    size_t kept = 0;
    for (size_t i = 0; i < products_.size(); ++i) {
      if (out.products[i].weight.q.empty()) continue;
      std::swap(products_[kept], products_[i]);
      std::swap(out.products[kept], out.products[i]);
      std::swap(out.errors[kept++], out.errors[i]);
    }
    if (kept == 0) {
      throw_not_supported("node '" + products_.front().node +
                          "': its input can't be calibrated, and neither can any other's");
    }
    result.float_products += products_.size() - kept;
    products_.resize(kept);
    out.products.resize(kept);
    out.errors.resize(kept);
  }

  /// The products that calibration didn't decide, or all of them.
  void round_the_rest(std::vector<QuantizedProduct>& decided) {
    for (size_t i = 0; i < products_.size(); ++i) {
      const Product& p = products_[i];
      if (!decided[i].weight.q.empty()) continue;
      decided[i].weight = round_to_nearest(to_floats(original_.initializers.at(p.weight)), p.k, p.n,
                                           {}, weight_range(), threads_);
      report("rounding", i + 1, products_.size());
    }
  }

  void measure(const Graph& graph, const TextSplit& texts, const std::vector<float>& expected,
               QuantizeResult& result) const {
    report("measuring", 0, 1);
    const size_t rows = texts.held.texts();
    result.cosines = row_cosines(
        sentence_embeddings(graph, texts.held.batch(), settings_.head, options_.threads), expected,
        rows, expected.size() / rows);
    report("measuring", 1, 1);
  }

  void describe(const QuantizeResult& result, Graph& graph) const {
    const bool dynamic = options_.method == QuantizeMethod::kDynamic;
    auto& metadata = graph.metadata;
    metadata["embedforge.quantization"] = dynamic
                                              ? "dynamic int8, per token and per output channel"
                                              : "static int8, per tensor and per output channel";
    metadata["embedforge.calibration_texts"] =
        fmt::format("{}{}", result.calibration_texts, result.own_texts ? " built in" : "");
    metadata["embedforge.products_int8"] = std::to_string(result.layers.size());
    metadata["embedforge.products_float"] = std::to_string(result.float_products);
    std::string errors;
    for (const QuantizedLayer& layer : result.layers) {
      errors += fmt::format("{}{}={:.5f}", errors.empty() ? "" : "; ", layer.node, layer.error);
    }
    metadata["embedforge.layer_errors"] = errors;
    if (result.cosines.empty()) return;
    const auto percentile = [&](size_t p) {
      return fmt::format("{:.6f}", result.cosines[result.cosines.size() * p / 100]);
    };
    metadata["embedforge.cosine_mean"] = fmt::format("{:.6f}", mean(result.cosines));
    metadata["embedforge.cosine_min"] = percentile(0);
    for (const size_t p : {size_t{5}, size_t{25}, size_t{50}})
      metadata[fmt::format("embedforge.cosine_p{}", p)] = percentile(p);
    metadata["embedforge.cosine_texts"] = std::to_string(result.cosines.size());
  }

  /// Static products are u8 times s8 in ONNX Runtime, too.
  WeightRange weight_range() const {
    return options_.reduce_range || options_.method == QuantizeMethod::kStatic
               ? WeightRange::kReduced
               : WeightRange::kFull;
  }

  void report(const char* what, size_t done, size_t all) const {
    if (options_.progress) options_.progress(what, done, all);
  }

  const QuantizeOptions& options_;
  const Graph& original_;
  const Settings settings_;
  std::vector<Product> products_;  // those that become integers
  ThreadPool threads_;
};

}  // namespace

QuantizeResult quantize(const std::string& model, const QuantizeOptions& options) {
  check_options(options);
  const ResolvedModel resolved = resolve_converted(model, "", options.tell);
  const fs::path input = resolved.onnx();
  const bool dynamic = options.method == QuantizeMethod::kDynamic;
  QuantizeResult result;
  result.model = options.output.empty()
                     ? resolved.folder / "onnx" /
                           (dynamic ? "model_qint8_dynamic.onnx" : "model_qint8_static.onnx")
                     : options.output;
  std::error_code ignored;
  if (fs::equivalent(input, result.model, ignored))
    throw_usage(input.string() + ": the output would replace the float model; choose another");
  const Graph original = read_onnx(input);
  result.original_bytes = onnx_bytes(input);
  Quantization quantization(options, resolved, original);
  {
    const AtomicFile probe(result.model);  // fails now rather than at the end
  }
  Graph graph = quantization.run(result);
  graph.metadata["embedforge.original_bytes"] = std::to_string(result.original_bytes);
  verify(graph, "quantize");
  write_onnx(graph, result.model);
  result.bytes = onnx_bytes(result.model);
  return result;
}

}  // namespace embedforge
