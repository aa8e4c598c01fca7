#include "pipeline/vector_cache.h"

#include <algorithm>

namespace embedforge {

size_t VectorCache::bytes_of(const Entry& entry) {
  constexpr size_t kOverhead = 160;  // of an entry in both containers
  return entry.text.size() + entry.vector.size() * sizeof(float) + kOverhead;
}

bool VectorCache::find(std::string_view text, std::span<float> out) const {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(text);
  if (found == index_.end()) return false;
  std::ranges::copy(found->second->vector, out.begin());
  return true;
}

void VectorCache::add(std::string_view text, std::span<const float> vector) {
  const std::lock_guard lock(mutex_);
  if (text.size() > most_ / 16 || index_.contains(text)) return;
  const Entry& entry = entries_.emplace_back(
      Entry{std::string(text), std::vector<float>(vector.begin(), vector.end())});
  index_.emplace(entry.text, &entry);
  bytes_ += bytes_of(entry);
  while (bytes_ > most_) {
    bytes_ -= bytes_of(entries_.front());
    index_.erase(entries_.front().text);
    entries_.pop_front();
  }
}

}  // namespace embedforge
