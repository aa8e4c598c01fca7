#include "hub/settings.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "hub/hub.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

/// `~` and `~/...` as huggingface_hub expands them.
fs::path expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return fs::path(environment("HOME").value_or("/")) /
         path.substr(std::min<size_t>(path.size(), 2));
}

bool is_true(const char* name) {
  std::string value = environment(name).value_or("");
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::toupper(c); });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string read_token() {
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (const auto token = environment(name)) return *token;
  }
  const auto path = environment("HF_TOKEN_PATH");
  std::ifstream file(path ? expand_home(*path) : hub_home() / "token");
  std::string token;
  file >> token;
  return token;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

bool is_name(std::string_view name) {
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  return !name.empty() && name.size() <= 96 &&
         std::all_of(name.begin(), name.end(), is_name_character) &&
         name.find("..") == std::string_view::npos && name.find("--") == std::string_view::npos &&
         !edge(name.front()) && !edge(name.back());
}

}  // namespace

fs::path hub_home() {
  if (const auto home = environment("HF_HOME")) return expand_home(*home);
  return expand_home(environment("XDG_CACHE_HOME").value_or("~/.cache")) / "huggingface";
}

fs::path hub_cache() {
  if (const auto cache = environment("HF_HUB_CACHE")) return expand_home(*cache);
  return hub_home() / "hub";
}

HubSettings hub_settings() {
  HubSettings out;
  out.endpoint = environment("HF_ENDPOINT").value_or("https://huggingface.co");
  while (out.endpoint.ends_with('/')) out.endpoint.pop_back();
  out.token = read_token();
  out.offline = is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE");
  return out;
}

bool is_hub_id(std::string_view id) {
  const size_t slash = id.find('/');
  if (slash == std::string_view::npos) return is_name(id);
  return is_name(id.substr(0, slash)) && is_name(id.substr(slash + 1));
}

bool is_revision(std::string_view revision) {
  const auto good = [](char c) { return is_name_character(c) || c == '/' || c == '+'; };
  return !revision.empty() && revision.size() <= 200 && std::ranges::all_of(revision, good) &&
         revision.find("..") == std::string_view::npos && revision.front() != '/' &&
         revision.back() != '/' && revision.find("//") == std::string_view::npos;
}

bool is_commit(std::string_view text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 40 && std::ranges::all_of(text, hex);
}

}  // namespace embedforge
