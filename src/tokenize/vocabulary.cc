#include "tokenize/vocabulary.h"

#include <algorithm>

namespace embedforge {

Vocabulary::Vocabulary(std::vector<std::pair<std::string, int32_t>> tokens)
    : tokens_(std::move(tokens)) {
  int32_t last = -1;
  for (const auto& [text, id] : tokens_) last = std::max(last, id);
  texts_.resize(static_cast<size_t>(last) + 1);
  ids_.reserve(tokens_.size());
  for (const auto& [text, id] : tokens_) {
    ids_[text] = id;
    texts_[static_cast<size_t>(id)] = text;
  }
}

int32_t Vocabulary::id(std::string_view token) const {
  const auto it = ids_.find(token);
  return it == ids_.end() ? -1 : it->second;
}

bool Vocabulary::has(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < texts_.size() &&
         texts_[static_cast<size_t>(id)].data() != nullptr;
}

std::string_view Vocabulary::text(int32_t id) const {
  return has(id) ? texts_[static_cast<size_t>(id)] : std::string_view();
}

}  // namespace embedforge
