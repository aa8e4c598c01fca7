#include <algorithm>
#include <cmath>

#include "kernels/reference/plain.h"

namespace embedforge::kernels::reference {

size_t attention_workspace(int length, int) noexcept {
  return static_cast<size_t>(length) * sizeof(double);
}

void attention(const AttentionArgs& a) noexcept {
  auto* scores = reinterpret_cast<double*>(a.workspace);
  for (int i = a.begin; i < a.end; ++i) {
    const int first = a.window < 0 ? 0 : std::max(0, i - a.window);
    int last = a.window < 0 ? a.length : std::min(a.length, i + a.window + 1);
    if (a.causal) last = std::min(last, i + 1);
    const float* q = a.q + static_cast<size_t>(i) * a.q_stride;
    double top = -1e300;
    for (int j = first; j < last; ++j) {
      const float* k = a.k + static_cast<size_t>(j) * a.kv_stride;
      double dot = 0;
      for (int d = 0; d < a.head_size; ++d) dot += static_cast<double>(q[d]) * k[d];
      dot *= a.scale;
      if (a.relative_bias != nullptr) {
        dot += a.relative_bias[std::clamp(j - i, 1 - a.bias_span, a.bias_span - 1)];
      }
      scores[j] = dot;
      top = std::max(top, dot);
    }
    double total = 0;
    for (int j = first; j < last; ++j) total += scores[j] = std::exp(scores[j] - top);
    for (int d = 0; d < a.head_size; ++d) {
      double sum = 0;
      for (int j = first; j < last; ++j) {
        sum += scores[j] * a.v[static_cast<size_t>(j) * a.kv_stride + d];
      }
      a.out[static_cast<size_t>(i) * a.out_stride + d] = static_cast<float>(sum / total);
    }
  }
}

}  // namespace embedforge::kernels::reference
