// One HTTP request and its answer as values, whoever carries them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge::serve {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The value of the first header of that name (lower case); "" where there is none.
inline std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

struct Request {
  std::string method;
  std::string path;   // percent-decoded, without the query
  std::string query;  // as it came, without '?'
  Headers headers;    // names in lower case
  std::string body;
  std::string id;   // X-Request-Id as it came, else made here
  std::string key;  // the name of the API key that let it in; "" without keys

  std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;  // besides Content-Type, Content-Length and those that the HTTP core adds
};

}  // namespace embedforge::serve
