// Takes: strings and numbers. Gives: JSON, appended to an answer's body. Never: writes a number
// that JSON hasn't: NaN and infinity are a Failure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace embedforge::serve {

/// Keeps the order of its keys.
using OrderedJson = nlohmann::ordered_json;

/// Errors: Failure kModel for NaN and infinity.
void check_finite(float value);
/// Quoted and escaped; bytes that are no UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);
/// The shortest digits that give the float back. Errors: Failure kModel if it isn't finite.
void append_float(std::string& out, float value);
/// [a,b,…]. Errors: as append_float.
void append_floats(std::string& out, std::span<const float> values);
/// [a,b,…] of int8_t when `is_signed`, else of uint8_t.
void append_bytes(std::string& out, std::span<const uint8_t> values, bool is_signed);
/// "…": base64 of the bytes.
void append_base64(std::string& out, std::span<const uint8_t> bytes);
/// "…": base64 of little-endian float32. Errors: as append_float.
void append_base64(std::string& out, std::span<const float> values);
/// One line of JSON; bytes that are no UTF-8 become U+FFFD.
std::string to_text(const OrderedJson& value);

}  // namespace embedforge::serve
