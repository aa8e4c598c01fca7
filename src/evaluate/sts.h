// Takes: a file of sentence pairs with scores that people gave. Gives: the pairs, and how well a
// model's cosines order them as the scores do. Never: runs a model.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "embedforge/vectors.h"

namespace embedforge::evaluation {

struct StsPairs {
  std::vector<std::string> left, right;
  std::vector<double> scores;
};

/// Comma- or tab-separated lines (quotes as in RFC 4180; the first line decides the separator). A
/// first line that names sentence1, sentence2 and score (or similarity_score, label) says where
/// they are; without it they are the first, second and third column. Errors: kBadInput with file
/// and line.
StsPairs read_sts(const std::filesystem::path& path);

/// Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank, as
/// scipy.stats.spearmanr and so sentence-transformers' EmbeddingSimilarityEvaluator have it.
/// Errors: kBadInput for fewer than two values, or when all are equal.
double spearman(std::span<const double> x, std::span<const double> y);

/// Of the cosines of the rows with the scores.
double sts_spearman(const Matrix& left, const Matrix& right, std::span<const double> scores);

}  // namespace embedforge::evaluation
