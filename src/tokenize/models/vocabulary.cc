#include "tokenize/models/vocabulary.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace embedforge {
namespace {

uint32_t hash_of(std::string_view token) {
  return static_cast<uint32_t>(std::hash<std::string_view>()(token));
}

}  // namespace

Vocabulary::Vocabulary(const std::vector<Entry>& tokens)
    : slots_(std::bit_ceil(2 * tokens.size() + 1)) {
  size_t bytes = 0;
  for (const auto& [text, id] : tokens) bytes += text.size();
  // One byte more, so that an empty text has an address, too.
  bytes_ = std::make_unique<char[]>(bytes + 1);
  char* end = bytes_.get();
  tokens_.reserve(tokens.size());
  for (const auto& [text, id] : tokens) {
    const uint32_t hash = hash_of(text);
    Slot& slot = slots_[find(text, hash)];
    if (slot.token >= 0) {
      tokens_[static_cast<size_t>(slot.token)].second = id;
      continue;
    }
    slot = {hash, static_cast<int32_t>(tokens_.size())};
    tokens_.emplace_back(std::string_view(end, text.size()), id);
    end = std::copy(text.begin(), text.end(), end);
  }
  int32_t last = -1;
  for (const auto& [text, id] : tokens_) last = std::max(last, id);
  texts_.resize(static_cast<size_t>(last) + 1);
  for (const auto& [text, id] : tokens_) texts_[static_cast<size_t>(id)] = text;
}

size_t Vocabulary::find(std::string_view token, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  while (slots_[at].token >= 0 &&
         (slots_[at].hash != hash || tokens_[static_cast<size_t>(slots_[at].token)].first != token))
    at = (at + 1) & mask;
  return at;
}

int32_t Vocabulary::id(std::string_view token) const {
  if (tokens_.empty()) return -1;
  const Slot& slot = slots_[find(token, hash_of(token))];
  return slot.token < 0 ? -1 : tokens_[static_cast<size_t>(slot.token)].second;
}

bool Vocabulary::has(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < texts_.size() &&
         texts_[static_cast<size_t>(id)].data() != nullptr;
}

std::string_view Vocabulary::text(int32_t id) const {
  return has(id) ? texts_[static_cast<size_t>(id)] : std::string_view();
}

}  // namespace embedforge
