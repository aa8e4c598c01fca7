#include "hub/checksum.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "base/mapped_file.h"
#include "embedforge/error.h"

namespace embedforge {

std::string digest_of(const std::filesystem::path& path, const std::string& etag) {
  if (etag.size() != 64 && etag.size() != 40) {
    throw_not_supported("the hub names " + path.string() + " by \"" + etag +
                        "\", which is neither a SHA-256 nor a SHA-1");
  }
  const bool large = etag.size() == 64;
  const MappedFile file = MappedFile::open(path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const std::string head = "blob " + std::to_string(file.bytes().size());
  bool good = context != nullptr &&
              EVP_DigestInit_ex(context.get(), large ? EVP_sha256() : EVP_sha1(), nullptr) == 1;
  if (!large) good = good && EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1) == 1;
  good = good && EVP_DigestUpdate(context.get(), file.bytes().data(), file.bytes().size()) == 1 &&
         EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1;
  if (!good) throw_not_supported("OpenSSL can't compute the checksum of " + path.string());
  static constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += kDigits[digest[i] / 16];
    out += kDigits[digest[i] % 16];
  }
  return out;
}

}  // namespace embedforge
