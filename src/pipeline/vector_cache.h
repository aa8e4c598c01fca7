// Takes: texts and their vectors. Gives: the vector of a text that was there not long ago. Never:
// holds more than its bytes. Thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "embedforge/vectors.h"

namespace embedforge {

class VectorCache {
 public:
  explicit VectorCache(size_t most_bytes) : most_(most_bytes) {}

  /// Copies the vector to `out`; false when it isn't there.
  bool find(std::string_view text, std::span<float> out) const;
  void add(std::string_view text, std::span<const float> vector);

 private:
  struct Entry {
    std::string text;
    std::vector<float> vector;
  };
  static size_t bytes_of(const Entry& entry);
  const size_t most_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;  // oldest first
  std::unordered_map<std::string_view, const Entry*> index_;
  size_t bytes_ = 0;
};

/// The vectors of `texts`: `encode` is asked for each text that is new, once.
template <typename Encode>
Matrix encode_once(std::span<const std::string_view> texts, size_t columns, VectorCache& cache,
                   size_t& repeated, Encode encode) {
  Matrix out{texts.size(), columns, std::vector<float>(texts.size() * columns)};
  std::unordered_map<std::string_view, size_t> places;  // of the new texts
  std::vector<std::string_view> fresh;
  std::vector<size_t> source(texts.size());
  constexpr size_t kCached = static_cast<size_t>(-1);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto known = places.find(texts[i]);
    if (known != places.end()) {
      source[i] = known->second;
    } else if (cache.find(texts[i], out.row(i))) {
      source[i] = kCached;
    } else {
      source[i] = fresh.size();
      places.emplace(texts[i], fresh.size());
      fresh.push_back(texts[i]);
    }
  }
  repeated = texts.size() - fresh.size();
  const Matrix made = encode(std::span<const std::string_view>(fresh));
  for (size_t i = 0; i < texts.size(); ++i) {
    if (source[i] != kCached) std::copy_n(made.row(source[i]).data(), columns, out.row(i).data());
  }
  for (size_t i = 0; i < fresh.size(); ++i) cache.add(fresh[i], made.row(i));
  return out;
}

}  // namespace embedforge
