#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "backends/text.h"
#include "base/threads.h"
#include "config/model_config.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "engine/engine.h"
#include "graph/read_onnx.h"
#include "graph/tensor.h"
#include "graph/verify.h"
#include "graph/write_onnx.h"
#include "hub/hub.h"
#include "plan/raise.h"
#include "quantize/calibrate.h"
#include "quantize/rewrite.h"
#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
using namespace quantization;  // NOLINT(google-build-using-namespace): this module's own

constexpr size_t kFewestTexts = 10;
constexpr size_t kMostReported = 200;  // texts whose cosine is taken

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<size_t> offsets = {0};
  TokenBatch batch() const { return {ids, {}, offsets}; }
};

Tokens tokenize(const ModelConfig& config, std::span<const std::string> texts) {
  const Tokenizer tokenizer = Tokenizer::load(config.transformer);
  Tokens out;
  for (const std::string& text : texts) {
    std::string changed(strip(text));
    if (config.lower_case) changed = lower(changed);
    tokenizer.append_ids(changed, {.max_length = static_cast<size_t>(config.max_length)}, out.ids);
    out.offsets.push_back(out.ids.size());
  }
  return out;
}

fs::path input_file(const ResolvedModel& model) {
  if (!model.file.empty()) return model.file;
  fs::path path = model.folder / "onnx" / "model.onnx";
  if (!fs::is_regular_file(path)) {
    throw_bad_input(path.string() + ": missing; make it with `embedforge convert " +
                    model.folder.string() + " -o DIR`");
  }
  return path;
}

/// Bytes of the file and of the external data that write_onnx puts beside it.
uint64_t model_bytes(const fs::path& path) {
  fs::path data = path;
  data += ".data";
  uint64_t total = 0;
  for (const fs::path& each : {path, data}) {
    std::error_code missing;
    const uint64_t bytes = fs::file_size(each, missing);
    if (!missing) total += bytes;
  }
  return total;
}

/// The non-empty texts: those for rounding, then those for the report (every fifth when there are
/// no more than `samples`).
std::pair<std::vector<std::string>, std::vector<std::string>> split(
    const QuantizeOptions& options) {
  std::vector<std::string> texts;
  for (const std::string& text : options.calibration) {
    if (!strip(text).empty()) texts.push_back(text);
  }
  if (texts.size() < kFewestTexts || options.samples < kFewestTexts) {
    throw_bad_input(
        fmt::format("calibration needs at least {} texts that aren't empty ({} given, samples {})",
                    kFewestTexts, texts.size(), options.samples));
  }
  const size_t kept = texts.size() / 5;
  const size_t used = std::min(options.samples, texts.size() - kept);
  std::vector<std::string> held(
      texts.begin() + static_cast<ptrdiff_t>(used),
      texts.begin() + static_cast<ptrdiff_t>(std::min(texts.size(), used + kMostReported)));
  texts.resize(used);
  return {std::move(texts), std::move(held)};
}

std::vector<float> sentence_embeddings(const Graph& graph, const Tokens& tokens,
                                       const ModelConfig& config, int threads) {
  const Engine engine(raise(graph), {.threads = threads});
  const PoolKind kind =
      config.pooling.front() == PoolingMode::kCls ? PoolKind::kCls : PoolKind::kMean;
  std::vector<float> out(tokens.batch().sequences() * engine.hidden_size());
  engine.embed(tokens.batch(), kind, out.data());
  return out;
}

std::vector<double> row_cosines(const std::vector<float>& a, const std::vector<float>& b,
                                size_t rows) {
  const size_t width = a.size() / rows;
  std::vector<double> out;
  for (size_t r = 0; r < rows; ++r) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (size_t i = r * width; i < (r + 1) * width; ++i) {
      dot += static_cast<double>(a[i]) * b[i];
      aa += static_cast<double>(a[i]) * a[i];
      bb += static_cast<double>(b[i]) * b[i];
    }
    out.push_back(dot / std::sqrt(aa * bb));
  }
  std::sort(out.begin(), out.end());
  return out;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

void check_finite(const std::string& name, const std::vector<float>& values) {
  const bool finite =
      std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
  if (!finite)
    throw_bad_input("tensor '" + name + "' has a value that is not finite; the file is damaged");
}

/// The products that calibration didn't decide, or all of them.
void round_the_rest(const Graph& graph, const std::vector<Product>& products,
                    std::vector<QuantizedProduct>& decided, const QuantizeOptions& options) {
  for (size_t i = 0; i < products.size(); ++i) {
    const Product& p = products[i];
    if (decided[i].weight.q.empty()) {
      const std::vector<float> w = to_floats(graph.initializers.at(p.weight));
      check_finite(p.weight, w);
      decided[i].weight = round_to_nearest(w, p.k, p.n);
    }
    if (options.progress) options.progress(i + 1, products.size());
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

}  // namespace

QuantizeResult quantize(const std::string& model, const QuantizeOptions& options) {
  const ResolvedModel resolved = resolve_model(model);
  const fs::path input = input_file(resolved);
  QuantizeResult result;
  result.model = options.output.empty() ? resolved.folder / "onnx" / "model_qint8_dynamic.onnx"
                                        : options.output;
  std::error_code ignored;
  if (fs::equivalent(input, result.model, ignored))
    throw_usage(input.string() + ": the output would replace the float model; choose another");
  const Graph original = read_onnx(input);
  const std::vector<Product> products = find_products(original, options.excluded);
  if (products.empty())
    throw_not_supported(input.string() +
                        ": has no MatMul with a constant matrix that could be quantized");
  result.original_bytes = model_bytes(input);
  result.float_products = count_float_products(original) - products.size();

  std::vector<QuantizedProduct> decided(products.size());
  std::vector<double> errors(products.size(), 0);
  const ModelConfig config = read_model_config(resolved.folder);
  Tokens held;
  if (!options.calibration.empty()) {
    const auto [used, rest] = split(options);
    held = tokenize(config, rest);
    const Tokens tokens = tokenize(config, used);
    for (const Product& p : products)
      check_finite(p.weight, to_floats(original.initializers.at(p.weight)));
    ThreadPool threads(options.threads > 0 ? options.threads : available_threads());
    Calibrated calibrated =
        calibrate(original, products, tokens.batch(), threads, options.progress);
    decided = std::move(calibrated.products);
    errors = std::move(calibrated.errors);
    result.calibration_texts = used.size();
    round_the_rest(original, products, decided, {});
  } else {
    round_the_rest(original, products, decided, options);
  }
  for (size_t i = 0; i < products.size(); ++i) {
    result.layers.push_back(
        {products[i].node, errors[i], static_cast<int64_t>(decided[i].float_channels.size())});
  }

  Graph graph = original;
  quantize_graph(graph, products, decided);
  graph.metadata["embedforge.quantization"] = "dynamic int8, per token and per output channel";
  graph.metadata["embedforge.calibration_texts"] = std::to_string(result.calibration_texts);
  if (!options.calibration.empty()) {
    result.cosines = row_cosines(sentence_embeddings(original, held, config, options.threads),
                                 sentence_embeddings(graph, held, config, options.threads),
                                 held.batch().sequences());
    graph.metadata["embedforge.cosine_mean"] = fmt::format("{:.6f}", mean(result.cosines));
    graph.metadata["embedforge.cosine_min"] = fmt::format("{:.6f}", result.cosines.front());
    graph.metadata["embedforge.cosine_texts"] = std::to_string(result.cosines.size());
  }
  verify(graph, "quantize");
  write_onnx(graph, result.model);
  result.bytes = model_bytes(result.model);
  return result;
}

}  // namespace embedforge
