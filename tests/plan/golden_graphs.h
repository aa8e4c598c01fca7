// The graphs in tests/golden/graphs (tests/exporters/make_graphs.py --layers 1 --hidden 16) and
// what ONNX Runtime computed from them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "plan/interpret_program.h"

namespace embedforge::testing {

inline const std::filesystem::path kGraphs = std::filesystem::path(EMBEDFORGE_TEST_DATA) / "graphs";

struct Expected {
  Batch batch;
  std::vector<float> values;  // of every sequence's tokens, then the sentence embeddings
};

inline Expected read_expected(const std::string& name) {
  std::ifstream in(kGraphs / (name + ".bin"), std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  const auto next = [&] {
    int64_t value = 0;
    in.read(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  };
  Expected out;
  const int64_t count = next();
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int64_t> ids(static_cast<size_t>(next()));
    std::vector<int64_t> types(ids.size());
    for (int64_t& id : ids) id = next();
    for (int64_t& type : types) type = next();
    out.batch.ids.push_back(ids);
    out.batch.types.push_back(types);
  }
  float value = 0;
  while (in.read(reinterpret_cast<char*>(&value), sizeof value)) out.values.push_back(value);
  return out;
}

inline std::vector<float> flat(const Result& result) {
  std::vector<float> out;
  for (const auto& rows : result.hidden) out.insert(out.end(), rows.begin(), rows.end());
  for (const auto& row : result.pooled) out.insert(out.end(), row.begin(), row.end());
  return out;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b,
                                 size_t from, size_t to) {
  double out = 0;
  for (size_t i = from; i < to; ++i) out = std::max<double>(out, std::fabs(a.at(i) - b.at(i)));
  return out;
}

}  // namespace embedforge::testing
