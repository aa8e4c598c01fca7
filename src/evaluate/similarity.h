// Takes: two models' vectors of the same texts. Gives: how near they are, text by text and as
// neighbours. Never: runs a model.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "embedforge/vectors.h"

namespace embedforge::evaluation {

/// Cosine of row i of one with row i of the other; 0 where a row is zero throughout. Errors:
/// kBadInput for matrices of different shapes, or values that aren't finite.
std::vector<double> row_cosines(const Matrix& a, const Matrix& b);

struct Summary {
  size_t count = 0;
  double mean = 0, min = 0, p1 = 0, p5 = 0, p50 = 0;  // percentiles by nearest rank
};
Summary summarize(std::vector<double> values);

/// The p-th percentile (0 to 100) by nearest rank of values in ascending order.
double percentile(std::span<const double> ascending, double p);

/// The mean share of the k texts nearest to a text (by cosine, itself left out) that both have;
/// fewer than k + 1 texts: of those that there are.
double neighbour_overlap(const Matrix& a, const Matrix& b, size_t k);

/// Texts of a length, in characters.
struct LengthBucket {
  size_t least = 0, most = 0;  // most 0: no bound
  Summary cosine;
};

struct Retention {
  Summary cosine;
  double overlap = 0;  // of the nearest kNeighbours, over the first kOverlapTexts texts
  std::vector<LengthBucket> lengths;  // those that have texts
  std::vector<size_t> worst;          // the texts with the least cosines, least first
  std::vector<double> cosines;        // by text
};
constexpr size_t kNeighbours = 10;
constexpr size_t kOverlapTexts = 2000;
constexpr size_t kWorst = 5;

Retention retention(std::span<const std::string> texts, const Matrix& a, const Matrix& b);

}  // namespace embedforge::evaluation
