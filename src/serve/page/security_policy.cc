// The Content-Security-Policy of the pages, made of what they contain: nothing runs and nothing
// styles but what was built in, and nothing is fetched but from this server.
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <string>

#include "serve/pages.h"

namespace embedforge::serve {
namespace {

/// " 'sha256-…'", as a policy names an inline script or style.
std::string source_hash(std::string_view content) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest.data());
  std::array<unsigned char, 4 * (SHA256_DIGEST_LENGTH + 2) / 3 + 1> text{};
  const int length = EVP_EncodeBlock(text.data(), digest.data(), digest.size());
  return " 'sha256-" + std::string(text.begin(), text.begin() + length) + "'";
}

/// The hashes of what stands between <TAG> and </TAG> in a page; " 'none'" without any.
std::string source_hashes(std::string_view page, std::string_view tag) {
  const std::string open = "<" + std::string(tag) + ">";
  const std::string close = "</" + std::string(tag) + ">";
  std::string hashes;
  for (size_t at = page.find(open); at != std::string_view::npos; at = page.find(open, at)) {
    at += open.size();
    hashes += source_hash(page.substr(at, page.find(close, at) - at));
  }
  return hashes.empty() ? " 'none'" : hashes;
}

}  // namespace

std::string_view page_security_policy() {
  // The page of /docs has neither scripts nor styles.
  static const std::string policy = "default-src 'none'; script-src" +
                                    source_hashes(playground_page(), "script") + "; style-src" +
                                    source_hashes(playground_page(), "style") +
                                    "; connect-src 'self'; img-src data:; base-uri 'none'; "
                                    "form-action 'none'; frame-ancestors 'none'";
  return policy;
}

}  // namespace embedforge::serve
