#include "tokenize/normalize/precompiled.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "embedforge/error.h"
#include "tokenize/normalize/rewrites.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

constexpr size_t kLongGrapheme = 6;  // bytes

// A unit of the trie: https://github.com/s-yata/darts-clone
bool has_leaf(uint32_t unit) { return ((unit >> 8) & 1) != 0; }
uint32_t label(uint32_t unit) { return unit & ((uint32_t{1} << 31) | 0xFF); }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & (uint32_t{1} << 9)) >> 6); }
uint32_t value(uint32_t unit) { return unit & ((uint32_t{1} << 31) - 1); }

/// Holds the last character back, since a replacement by nothing counts to the character before it.
class Changes {
 public:
  explicit Changes(Rewriter& out) : out_(out) {}

  void put(char32_t c, int64_t change) {
    flush();
    last_ = c;
    change_ = change;
    held_ = true;
  }
  void replace(size_t count, std::string_view text) {
    const size_t size = count_code_points(text);
    const char* p = text.data();
    for (size_t i = 0; i < size; ++i) put(decode_utf8(p), i < count ? 0 : 1);
    if (size < count && held_) change_ -= static_cast<int64_t>(count - size);
  }
  void flush() {
    if (held_) out_.put(last_, change_);
    held_ = false;
  }

 private:
  Rewriter& out_;
  char32_t last_ = 0;
  int64_t change_ = 0;
  bool held_ = false;
};

size_t grapheme_length(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  char32_t last = decode_utf8(p);
  utf8proc_int32_t state = 0;
  while (p < end) {
    const char* const begin = p;
    const char32_t c = decode_utf8(p);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last),
                                         static_cast<utf8proc_int32_t>(c), &state)) {
      return static_cast<size_t>(begin - text.data());
    }
    last = c;
  }
  return text.size();
}

}  // namespace

PrecompiledCharsMap PrecompiledCharsMap::parse(std::string_view blob, const std::string& where) {
  uint32_t size = 0;
  if (blob.size() < sizeof(size)) throw_bad_input(where + " is cut short");
  std::memcpy(&size, blob.data(), sizeof(size));
  blob.remove_prefix(sizeof(size));
  if (size > blob.size() || size < sizeof(uint32_t)) throw_bad_input(where + " is cut short");
  PrecompiledCharsMap map;
  map.units_.resize(size / sizeof(uint32_t));
  std::memcpy(map.units_.data(), blob.data(), map.units_.size() * sizeof(uint32_t));
  // The reference reads whole units and takes the rest as text.
  map.replacements_ = blob.substr(map.units_.size() * sizeof(uint32_t));
  if (find_invalid_utf8(map.replacements_) != std::string_view::npos) {
    throw_bad_input(where + " holds replacements that are not valid UTF-8");
  }
  for (size_t c = 0; c < map.plain_.size(); ++c) {
    const char text = static_cast<char>(c);
    map.plain_[c] = c != '\r' && !map.find({&text, 1});
  }
  return map;
}

std::optional<std::string_view> PrecompiledCharsMap::find(std::string_view text) const {
  uint32_t node = offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte == 0) return std::nullopt;
    node ^= byte;
    if (node >= units_.size()) return std::nullopt;
    const uint32_t unit = units_[node];
    if (label(unit) != byte) return std::nullopt;
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) return std::nullopt;
    const uint32_t begin = value(units_[node]);
    if (begin > replacements_.size()) return std::nullopt;
    const size_t end = std::min(replacements_.find('\0', begin), replacements_.size());
    if (begin < replacements_.size() && !is_utf8_boundary(replacements_[begin])) {
      return std::nullopt;
    }
    return std::string_view(replacements_).substr(begin, end - begin);
  }
  return std::nullopt;
}

void precompiled_piece(const Pieces& in, const Piece& piece, Rewriter& out,
                       const PrecompiledCharsMap& map) {
  const std::string_view text = in.view(piece);
  Changes changes(out);
  bool changed = false;
  const auto replace = [&](std::string_view old, std::string_view replacement) {
    if (!changed) {  // what came before stays
      out.begin(piece);
      const char* p = text.data();
      while (p < old.data()) changes.put(decode_utf8(p), 0);
      changed = true;
    }
    changes.replace(count_code_points(old), replacement);
  };
  for (size_t i = 0; i < text.size();) {
    if (map.is_plain(text[i]) &&
        (i + 1 == text.size() || static_cast<uint8_t>(text[i + 1]) < 0x80)) {
      if (changed) changes.put(static_cast<uint8_t>(text[i]), 0);
      ++i;
      continue;
    }
    const std::string_view grapheme = text.substr(i, grapheme_length(text.substr(i)));
    i += grapheme.size();
    if (grapheme.size() < kLongGrapheme) {
      if (const auto replacement = map.find(grapheme)) {
        replace(grapheme, *replacement);
        continue;
      }
    }
    const char* p = grapheme.data();
    const char* const end = p + grapheme.size();
    while (p < end) {
      const char* const begin = p;
      const char32_t c = decode_utf8(p);
      const std::string_view part(begin, static_cast<size_t>(p - begin));
      if (const auto replacement = map.find(part)) {
        replace(part, *replacement);
      } else if (changed) {
        changes.put(c, 0);
      }
    }
  }
  if (!changed) return out.keep(piece);
  changes.flush();
}

std::string decode_base64(std::string_view text, const std::string& where) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) throw_bad_input(where + " is not base64");
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xFFFFFF;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return out;
}

}  // namespace embedforge
