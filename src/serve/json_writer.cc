#include "serve/json_writer.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "serve/failure.h"

namespace embedforge::serve {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are sent as they lie in memory");

constexpr size_t kFloatChars = 16;  // "-1.17549435e-38" and a comma

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char* write_float(char* at, float value) {
  check_finite(value);
  return std::to_chars(at, at + kFloatChars, value).ptr;
}

/// Two characters for each value of 12 bits.
const std::array<char, size_t{2} * 4096>& base64_pairs() {
  static const auto pairs = [] {
    std::array<char, size_t{2} * 4096> made{};
    for (size_t i = 0; i < 4096; ++i) {
      made[2 * i] = kBase64[i >> 6U];
      made[2 * i + 1] = kBase64[i & 63U];
    }
    return made;
  }();
  return pairs;
}

}  // namespace

void check_finite(float value) {
  if (std::isfinite(value)) return;
  throw Failure(FailureKind::kModel, "the model's result has a value that is no finite number");
}

void append_string(std::string& out, std::string_view text) {
  const auto plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
  };
  size_t i = 0;
  while (i < text.size() && plain(text[i])) ++i;
  if (i == text.size()) {
    out.append("\"").append(text).append("\"");
    return;
  }
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_float(std::string& out, float value) {
  std::array<char, kFloatChars> buffer{};
  out.append(buffer.data(), write_float(buffer.data(), value));
}

void append_floats(std::string& out, std::span<const float> values) {
  const size_t begin = out.size();
  out.resize(begin + 2 + values.size() * kFloatChars);
  char* at = out.data() + begin;
  *at++ = '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *at++ = ',';
    at = write_float(at, values[i]);
  }
  *at++ = ']';
  out.resize(static_cast<size_t>(at - out.data()));
}

void append_bytes(std::string& out, std::span<const uint8_t> values, bool is_signed) {
  const size_t begin = out.size();
  out.resize(begin + 2 + values.size() * 5);
  char* at = out.data() + begin;
  *at++ = '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) *at++ = ',';
    const int value = is_signed ? static_cast<int8_t>(values[i]) : values[i];
    at = std::to_chars(at, at + 4, value).ptr;
  }
  *at++ = ']';
  out.resize(static_cast<size_t>(at - out.data()));
}

void append_base64(std::string& out, std::span<const uint8_t> bytes) {
  const auto& pairs = base64_pairs();
  const size_t begin = out.size();
  out.resize(begin + 2 + (bytes.size() + 2) / 3 * 4);
  char* at = out.data() + begin;
  *at++ = '"';
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t bits = static_cast<uint32_t>(bytes[i]) << 16U |
                          static_cast<uint32_t>(bytes[i + 1]) << 8U | bytes[i + 2];
    const char* high = &pairs[size_t{2} * (bits >> 12U)];
    const char* low = &pairs[size_t{2} * (bits & 4095U)];
    *at++ = high[0];
    *at++ = high[1];
    *at++ = low[0];
    *at++ = low[1];
  }
  if (const size_t rest = bytes.size() - i; rest > 0) {
    const uint32_t bits = static_cast<uint32_t>(bytes[i]) << 16U |
                          (rest == 2 ? static_cast<uint32_t>(bytes[i + 1]) << 8U : 0U);
    *at++ = kBase64[bits >> 18U];
    *at++ = kBase64[bits >> 12U & 63U];
    *at++ = rest == 2 ? kBase64[bits >> 6U & 63U] : '=';
    *at++ = '=';
  }
  *at++ = '"';
}

void append_base64(std::string& out, std::span<const float> values) {
  for (const float value : values) check_finite(value);
  append_base64(out, std::span(reinterpret_cast<const uint8_t*>(values.data()),
                               values.size() * sizeof(float)));
}

std::string to_text(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace embedforge::serve
