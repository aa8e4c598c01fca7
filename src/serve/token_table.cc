#include "serve/token_table.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "serve/failure.h"

namespace embedforge::serve {
namespace {

constexpr size_t kMaxTableBytes = size_t{64} << 20U;
constexpr size_t kMaxTokenBytes = 4096;

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

/// False where it is no base64.
bool decode_base64(std::string_view text, std::string& bytes) {
  while (text.ends_with('=')) text.remove_suffix(1);
  uint32_t bits = 0;
  unsigned have = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) return false;
    bits = bits << 6U | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>(bits >> have & 0xFFU);
  }
  return text.size() % 4 != 1;
}

}  // namespace

TokenTable parse_token_table(std::string_view text, const std::string& name) {
  TokenTable table;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string where = name + ": line " + std::to_string(number);
    const size_t space = line.find(' ');
    std::string bytes;
    int32_t id = -1;
    if (space != std::string_view::npos && space / 4 * 3 <= kMaxTokenBytes) {
      const char* last = line.data() + line.size();
      const auto read = std::from_chars(line.data() + space + 1, last, id);
      if (read.ec != std::errc() || read.ptr != last) id = -1;
    }
    if (id < 0 || space == 0 || !decode_base64(line.substr(0, space), bytes)) {
      throw_bad_input(where + " is no \"BASE64 NUMBER\" of tiktoken's format");
    }
    if (!table.emplace(id, std::move(bytes)).second) {
      throw_bad_input(where + " has the id " + std::to_string(id) + " a second time");
    }
  }
  if (table.empty()) throw_bad_input(name + ": has no token");
  return table;
}

std::shared_ptr<const TokenTable> read_token_table(const std::filesystem::path& file) {
  const MappedFile mapped = MappedFile::open(file);
  const auto bytes = mapped.bytes();
  if (bytes.size() > kMaxTableBytes) throw_bad_input(file.string() + ": is larger than 64 MiB");
  return std::make_shared<const TokenTable>(parse_token_table(
      {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string()));
}

std::string decode_foreign(const TokenTable& table, std::span<const int32_t> ids,
                           const std::string& field) {
  std::string text;
  for (const int32_t id : ids) {
    const auto found = table.find(id);
    if (found == table.end()) {
      throw Failure(FailureKind::kValidation,
                    "`" + field + "` has the token id " + std::to_string(id) +
                        ", which the table of --openai-token-ids hasn't",
                    field);
    }
    text += found->second;
  }
  using Json = nlohmann::json;
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace))
      .get<std::string>();
}

}  // namespace embedforge::serve
