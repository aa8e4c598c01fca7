// Takes: a mapped zip archive. Gives: where each entry's bytes lie. Never: decompresses or writes
// an entry.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace embedforge {

/// Entry name -> its bytes, in the archive's own memory. The archive may be of the zip64 kind.
/// Errors: kBadInput beginning with `file` when sizes or offsets leave the archive, names repeat or
/// climb out of it; kNotSupported for compressed or encrypted entries. (PKWARE APPNOTE.TXT 6.3.10,
/// sections 4.3 and 4.5.3)
std::map<std::string, std::span<const std::byte>> read_zip(std::span<const std::byte> archive,
                                                           const std::string& file);

}  // namespace embedforge
