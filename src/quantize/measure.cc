#include "quantize/measure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/engine.h"
#include "plan/raise.h"

namespace embedforge::quantization {

std::vector<float> sentence_embeddings(const Graph& graph, const TokenBatch& batch,
                                       const std::vector<HeadStep>& head, int threads) {
  Program program = raise(graph);
  if (program.pools_itself) {
    program.head.resize(1);
  } else {
    program.head = head;
  }
  const Engine engine(program, {.threads = threads});
  std::vector<float> out(batch.sequences() * engine.width());
  engine.pooled(batch, out.data());
  return out;
}

std::vector<double> row_cosines(const std::vector<float>& a, const std::vector<float>& b,
                                size_t rows, size_t width) {
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
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace embedforge::quantization
