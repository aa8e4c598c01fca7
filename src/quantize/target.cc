#include "quantize/target.h"

#include <algorithm>
#include <numeric>

#include "quantize/measure.h"

namespace embedforge::quantization {
namespace {

constexpr size_t kTrialTexts = 48;  // that a product's gain is measured with

double cosine_with(const TargetSearch& s, const std::vector<bool>& kept, size_t texts) {
  const Graph graph = keep_float(s.original, s.products, s.decided, kept);
  const size_t rows = std::min(texts, s.held.texts());
  return mean(row_cosines(sentence_embeddings(graph, s.held.first(rows), s.head, s.threads),
                          s.expected, rows, s.expected.size() / s.held.texts()));
}

/// The float weight in place of the integers, scales and column sums.
uint64_t extra_bytes(const Product& p, const QuantizedProduct& made) {
  const auto n = static_cast<uint64_t>(p.n);
  const uint64_t dropped = 8 * n + 2 * made.float_rows.size();
  const uint64_t added = 3 * static_cast<uint64_t>(p.k) * n;
  return added > dropped ? added - dropped : 0;
}

}  // namespace

Graph keep_float(const Graph& original, const std::vector<Product>& products,
                 const std::vector<QuantizedProduct>& decided, const std::vector<bool>& kept) {
  std::vector<Product> left;
  std::vector<QuantizedProduct> made;
  for (size_t i = 0; i < products.size(); ++i) {
    if (kept[i]) continue;
    left.push_back(products[i]);
    made.push_back(decided[i]);
  }
  Graph graph = original;
  quantize_graph(graph, left, made);
  return graph;
}

std::vector<bool> search_target(const TargetSearch& s, double reached,
                                std::vector<FloatLayer>& chosen) {
  const size_t count = s.products.size();
  std::vector<bool> kept(count, false);
  if (reached >= s.target) return kept;
  const double before = cosine_with(s, kept, kTrialTexts);
  std::vector<double> gains(count);
  for (size_t i = 0; i < count; ++i) {
    kept[i] = true;
    gains[i] = cosine_with(s, kept, kTrialTexts) - before;
    kept[i] = false;
    if (s.progress) s.progress("choosing float layers", i + 1, count);
  }
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return gains[a] > gains[b]; });
  const auto first = [&](size_t size) {
    std::vector<bool> out(count, false);
    for (size_t i = 0; i < size; ++i) out[order[i]] = true;
    return out;
  };
  size_t low = 0;  // does not reach it
  size_t high = count;
  if (cosine_with(s, first(high), s.held.texts()) >= s.target) {
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      (cosine_with(s, first(middle), s.held.texts()) >= s.target ? high : low) = middle;
    }
  }
  for (size_t i = 0; i < high; ++i) {
    const size_t at = order[i];
    chosen.push_back({s.products[at].node, gains[at], extra_bytes(s.products[at], s.decided[at])});
  }
  return first(high);
}

}  // namespace embedforge::quantization
