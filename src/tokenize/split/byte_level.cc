#include "tokenize/split/byte_level.h"

#include "tokenize/normalize/rewrites.h"

namespace embedforge {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

constexpr std::array<char16_t, 256> make_characters() {
  std::array<char16_t, 256> characters{};
  char16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    characters[byte] = is_printable(byte) ? static_cast<char16_t>(byte) : next++;
  }
  return characters;
}

constexpr std::array<char16_t, 256> kCharacters = make_characters();

constexpr std::array<int16_t, 512> make_bytes() {
  std::array<int16_t, 512> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (size_t byte = 0; byte < 256; ++byte) bytes[kCharacters[byte]] = static_cast<int16_t>(byte);
  return bytes;
}

constexpr std::array<int16_t, 512> kBytes = make_bytes();

}  // namespace

const std::array<char16_t, 256>& byte_characters() { return kCharacters; }

int byte_of_character(char32_t c) { return c < kBytes.size() ? kBytes[c] : -1; }

void byte_level_piece(const Pieces& in, const Piece& piece, Rewriter& out) {
  out.begin(piece);
  for (uint32_t i = piece.begin; i < piece.end; ++i) {
    const char byte = in.text[i];
    out.put(kCharacters[static_cast<uint8_t>(byte)], is_utf8_boundary(byte) ? 0 : 1);
  }
}

}  // namespace embedforge
