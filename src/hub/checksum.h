// Takes: bytes. Gives: the digests by which the hub names its files. Never: keeps the bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace embedforge {

/// What the file's etag must be: its SHA-256 when `etag` has 64 digits (large files), the SHA-1 of
/// "blob SIZE\0" and the content (git) when it has 40. Errors: kBadInput when it can't be read;
/// kNotSupported for an etag of another length.
std::string digest_of(const std::filesystem::path& path, const std::string& etag);

}  // namespace embedforge
