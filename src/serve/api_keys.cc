#include "serve/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <fstream>

#include "embedforge/error.h"
#include "serve/http/text.h"

namespace embedforge::serve {
namespace {

std::string_view without_blanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view given_key(const Request& request) {
  std::string_view value = without_blanks(request.header("authorization"));
  constexpr std::string_view kBearer = "bearer ";
  if (equals_ignoring_case(value.substr(0, kBearer.size()), kBearer))
    value = without_blanks(value.substr(kBearer.size()));
  return value.empty() ? request.header("x-api-key") : value;
}

}  // namespace

ApiKeys::Digest ApiKeys::digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

void ApiKeys::add(std::string_view name, std::string_view key) {
  keys_.push_back({std::string(name), digest_of(key)});
}

void ApiKeys::add(std::string_view key) {
  if (without_blanks(key).empty()) throw_usage("--api-key must not be empty");
  add("key" + std::to_string(keys_.size() + 1), without_blanks(key));
}

void ApiKeys::add_file(const std::filesystem::path& file,
                       const std::function<void(const std::string&)>& warn) {
  const std::string flag = "--api-keys " + file.string();
  std::ifstream stream(file);
  struct stat status {};
  if (!stream || stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    throw_bad_input(flag + ": the file can't be read");
  if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0)
    warn(flag + ": others may read the keys; chmod 600 makes them yours");
  const size_t before = keys_.size();
  std::string text;
  for (size_t number = 1; std::getline(stream, text); ++number) {
    const std::string_view line = without_blanks(text);
    if (line.empty() || line.front() == '#') continue;
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos && line.back() != ':') {
      add(line);
      continue;
    }
    const std::string_view name = without_blanks(line.substr(0, colon));
    const std::string_view key = without_blanks(line.substr(std::min(colon + 1, line.size())));
    if (name.empty() || key.empty() || colon == std::string_view::npos)
      throw_bad_input(flag + ", line " + std::to_string(number) + ": must be `name: key` or `key`");
    add(name, key);
  }
  if (keys_.size() == before) throw_bad_input(flag + ": there is no key in the file");
}

std::optional<std::string> ApiKeys::name_of(const Request& request) const {
  const Digest digest = digest_of(given_key(request));
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (CRYPTO_memcmp(key.digest.data(), digest.data(), digest.size()) == 0) found = &key;
  }
  if (found == nullptr) return std::nullopt;
  return found->name;
}

}  // namespace embedforge::serve
