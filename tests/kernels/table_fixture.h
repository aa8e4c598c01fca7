// Runs a test once for each kernel table; skips, with the reason, those that this processor can't
// run.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/select.h"

namespace embedforge::kernels {

class TableTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string reason = why_unsupported(GetParam());
    if (!reason.empty()) GTEST_SKIP() << GetParam() << ": " << reason;
    table_ = &table(GetParam());
    if (table_->enter != nullptr) table_->enter();
  }
  void TearDown() override {
    if (table_ != nullptr && table_->leave != nullptr) table_->leave();
  }
  const KernelTable* table_ = nullptr;
};

/// 64-byte aligned bytes, filled with a pattern that shows when something reads what it should have
/// written.
class Buffer {
 public:
  explicit Buffer(size_t bytes) : size_((bytes + 63) / 64 * 64) {
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, size_ + 64)));
    for (size_t i = 0; i < size_; ++i) data_[i] = std::byte{0x7F};
  }
  std::byte* data() { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  size_t size_;
  std::unique_ptr<std::byte[], Free> data_;
};

inline std::vector<float> random_floats(size_t count, unsigned seed, float spread = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(count);
  for (float& v : values) v = normal(engine);
  return values;
}

}  // namespace embedforge::kernels

#define EMBEDFORGE_EACH_TABLE(Suite)                                                             \
  INSTANTIATE_TEST_SUITE_P(Tables, Suite, testing::ValuesIn(embedforge::kernels::table_names()), \
                           [](const auto& info) { return info.param; })
