#include "evaluate/similarity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "embedforge/error.h"

namespace embedforge::evaluation {
namespace {

Matrix matrix(size_t columns, std::vector<float> values) {
  return {values.size() / columns, columns, std::move(values)};
}

TEST(RowCosines, IgnoreLengthsAndSeeAngles) {
  const Matrix a = matrix(2, {1, 0, 2, 2, 0, 0, 1, 1});
  const Matrix b = matrix(2, {5, 0, -1, -1, 1, 0, 1, 0});
  const std::vector<double> cosines = row_cosines(a, b);
  EXPECT_DOUBLE_EQ(cosines[0], 1);
  EXPECT_NEAR(cosines[1], -1, 1e-15);
  EXPECT_DOUBLE_EQ(cosines[2], 0);
  EXPECT_NEAR(cosines[3], 0.7071067811865, 1e-12);
  EXPECT_THROW(row_cosines(a, matrix(1, {1, 2, 3, 4})), Error);
  EXPECT_THROW(row_cosines(matrix(1, {NAN}), matrix(1, {1})), Error);
}

TEST(Summary, HasPercentilesByNearestRank) {
  std::vector<double> values;
  for (int i = 200; i >= 1; --i) values.push_back(i);
  const Summary s = summarize(values);
  EXPECT_EQ(s.count, 200U);
  EXPECT_DOUBLE_EQ(s.mean, 100.5);
  EXPECT_DOUBLE_EQ(s.min, 1);
  EXPECT_DOUBLE_EQ(s.p1, 2);
  EXPECT_DOUBLE_EQ(s.p5, 10);
  EXPECT_DOUBLE_EQ(s.p50, 100);
  EXPECT_DOUBLE_EQ(summarize({0.5}).p1, 0.5);
}

TEST(NeighbourOverlap, CountsWhatBothHaveAmongTheNearest) {
  // By angle: 0, 10, 25 and 90 degrees; then the second moved to 80, next to the last.
  const Matrix a = matrix(2, {1, 0, 0.985F, 0.174F, 0.906F, 0.423F, 0, 1});
  const Matrix b = matrix(2, {1, 0, 0.174F, 0.985F, 0.906F, 0.423F, 0, 1});
  EXPECT_DOUBLE_EQ(neighbour_overlap(a, a, 1), 1);
  // Nearest in a: 1, 0, 1, 2; in b: 2, 3, 0, 1.
  EXPECT_DOUBLE_EQ(neighbour_overlap(a, b, 1), 0);
  EXPECT_DOUBLE_EQ(neighbour_overlap(a, b, 10), 1);  // all others are among the nearest ten
}

TEST(Retention, NamesTheWorstAndGroupsByCharacters) {
  const std::vector<std::string> texts = {"short", std::string(40, 'x'),
                                          "\xC3\xA9"
                                          "t\xC3\xA9"};
  const Matrix a = matrix(2, {1, 0, 1, 0, 1, 0});
  const Matrix b = matrix(2, {1, 0, 1, 1, 1, 0.1F});
  const Retention r = retention(texts, a, b);
  EXPECT_EQ(r.worst, (std::vector<size_t>{1, 2, 0}));
  ASSERT_EQ(r.lengths.size(), 2U);
  EXPECT_EQ(r.lengths[0].cosine.count, 2U);
  EXPECT_EQ(r.lengths[0].most, 31U);
  EXPECT_EQ(r.lengths[1].least, 32U);
  EXPECT_DOUBLE_EQ(r.lengths[1].cosine.min, r.cosine.min);
}

}  // namespace
}  // namespace embedforge::evaluation
