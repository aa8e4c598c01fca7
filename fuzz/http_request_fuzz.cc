// Any bytes as what a connection brings: requests or a refusal, the same however they are cut into
// pieces. The first byte says how.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "serve/http/request_parser.h"

namespace {

using embedforge::serve::RequestParser;

/// All requests of a connection, as text, and what ended them.
std::string read_all(std::string_view bytes, size_t piece) {
  std::string result, pending;
  for (int i = 0; i < 100; ++i) {
    RequestParser parser(4096, 10'000);
    while (parser.failed() == 0 && !parser.done()) {
      const size_t used = parser.feed(pending);
      pending.erase(0, used);
      if (used > 0 || parser.failed() != 0 || parser.done()) continue;
      if (bytes.empty()) return result + "more";
      pending.append(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    if (parser.failed() != 0) return result + std::to_string(parser.failed());
    const auto& request = parser.request();
    result += request.method + " " + request.path + "?" + request.query + "\n";
    for (const auto& [name, value] : request.headers) result += name + ":" + value + "\n";
    result += request.body + "\n";
    if (request.body.size() > 10'000 && !parser.length()) std::abort();
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read_all(bytes, bytes.size() + 1) != read_all(bytes, data[0] % 64 + 1)) std::abort();
  return 0;
}
