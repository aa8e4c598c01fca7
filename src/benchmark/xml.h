// Takes: any text. Gives: it as the content of an element or attribute. Never: makes markup.
#pragma once

#include <string>
#include <string_view>

namespace embedforge::benchmarking {

inline std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace embedforge::benchmarking
