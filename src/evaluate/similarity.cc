#include "evaluate/similarity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge::evaluation {
namespace {

constexpr size_t kLengthEdges[] = {0, 32, 128, 512, 2048};  // characters

/// Rows of length 1, cut to the first `count`.
Matrix unit_rows(const Matrix& vectors, size_t count) {
  Matrix out{std::min(count, vectors.rows), vectors.columns, {}};
  out.values.assign(vectors.values.begin(),
                    vectors.values.begin() + static_cast<ptrdiff_t>(out.rows * out.columns));
  cut_and_normalize(out, 0, true);
  return out;
}

/// The k rows nearest to row i, in ascending order of their index.
std::vector<size_t> nearest(const Matrix& unit, size_t i, size_t k) {
  std::vector<float> scores(unit.rows, 0.0F);
  for (size_t j = 0; j < unit.rows; ++j) {
    const std::span<const float> x = unit.row(i);
    const std::span<const float> y = unit.row(j);
    float sum = 0;
    for (size_t c = 0; c < unit.columns; ++c) sum += x[c] * y[c];
    scores[j] = sum;
  }
  std::vector<size_t> order;
  for (size_t j = 0; j < unit.rows; ++j) {
    if (j != i) order.push_back(j);
  }
  const auto middle = order.begin() + static_cast<ptrdiff_t>(k);
  std::partial_sort(order.begin(), middle, order.end(), [&scores](size_t x, size_t y) {
    return scores[x] != scores[y] ? scores[x] > scores[y] : x < y;
  });
  order.resize(k);
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<LengthBucket> by_length(std::span<const std::string> texts,
                                    const std::vector<double>& cosines) {
  std::vector<LengthBucket> out;
  for (size_t b = 0; b < std::size(kLengthEdges); ++b) {
    const size_t least = kLengthEdges[b];
    const size_t end = b + 1 < std::size(kLengthEdges) ? kLengthEdges[b + 1] : SIZE_MAX;
    std::vector<double> inside;
    for (size_t i = 0; i < texts.size(); ++i) {
      const size_t length = count_code_points(texts[i]);
      if (length >= least && length < end) inside.push_back(cosines[i]);
    }
    if (!inside.empty()) {
      out.push_back({least, end == SIZE_MAX ? 0 : end - 1, summarize(std::move(inside))});
    }
  }
  return out;
}

}  // namespace

std::vector<double> row_cosines(const Matrix& a, const Matrix& b) {
  if (a.rows != b.rows || a.columns != b.columns) {
    throw_bad_input(
        fmt::format("the models' vectors have {} and {} dimensions; only equal ones have a cosine",
                    a.columns, b.columns));
  }
  std::vector<double> out;
  for (size_t i = 0; i < a.rows; ++i) {
    double product = 0;
    double left = 0;
    double right = 0;
    for (size_t c = 0; c < a.columns; ++c) {
      const double x = a.row(i)[c];
      const double y = b.row(i)[c];
      product += x * y;
      left += x * x;
      right += y * y;
    }
    if (!std::isfinite(left) || !std::isfinite(right))
      throw_bad_input(fmt::format("text {}: a vector has values that are not finite", i + 1));
    const double lengths = std::sqrt(left) * std::sqrt(right);
    out.push_back(lengths > 0 ? product / lengths : 0);
  }
  return out;
}

double percentile(std::span<const double> ascending, double p) {
  const double rank = std::ceil(p / 100 * static_cast<double>(ascending.size()));
  return ascending[static_cast<size_t>(std::max(1.0, rank)) - 1];
}

Summary summarize(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {values.size(),         sum / static_cast<double>(values.size()),
          values.front(),        percentile(values, 1),
          percentile(values, 5), percentile(values, 50)};
}

double neighbour_overlap(const Matrix& a, const Matrix& b, size_t k) {
  const Matrix left = unit_rows(a, a.rows);
  const Matrix right = unit_rows(b, b.rows);
  if (left.rows < 2) return 1;
  k = std::min(k, left.rows - 1);
  size_t common = 0;
  for (size_t i = 0; i < left.rows; ++i) {
    const std::vector<size_t> x = nearest(left, i, k);
    const std::vector<size_t> y = nearest(right, i, k);
    std::vector<size_t> both;
    std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(both));
    common += both.size();
  }
  return static_cast<double>(common) / static_cast<double>(left.rows * k);
}

Retention retention(std::span<const std::string> texts, const Matrix& a, const Matrix& b) {
  Retention out;
  out.cosines = row_cosines(a, b);
  out.cosine = summarize(out.cosines);
  out.overlap =
      neighbour_overlap(unit_rows(a, kOverlapTexts), unit_rows(b, kOverlapTexts), kNeighbours);
  out.lengths = by_length(texts, out.cosines);
  out.worst.resize(texts.size());
  std::iota(out.worst.begin(), out.worst.end(), size_t{0});
  std::stable_sort(out.worst.begin(), out.worst.end(),
                   [&out](size_t x, size_t y) { return out.cosines[x] < out.cosines[y]; });
  out.worst.resize(std::min(kWorst, texts.size()));
  return out;
}

}  // namespace embedforge::evaluation
