// Takes: the path of a file, or "-". Gives: its bytes, unpacked where it is gzip or zstd, and a
// check that it stayed what it was. Never: holds more than a buffer of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace embedforge {

/// What tells that a file is still the one that was read before.
struct FileIdentity {
  uint64_t size = 0;
  int64_t modified = 0;      // nanoseconds
  uint64_t prefix_hash = 0;  // of the first kPrefixBytes
  bool stream = false;       // standard input or a pipe: nothing is known of it

  static constexpr size_t kPrefixBytes = size_t{1} << 20U;
  bool operator==(const FileIdentity&) const = default;
};

/// Errors: kBadInput when it can't be opened, or is a folder.
FileIdentity identify_file(const std::string& path);

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to buffer.size() bytes; 0 at the end. Errors: kBadInput for a damaged or truncated archive,
  /// and for a file that changed since it was opened.
  virtual size_t read(std::span<char> buffer) = 0;
  /// Bytes of the file itself that were read, packed ones where it is packed.
  virtual uint64_t consumed() const = 0;
  /// Goes to that byte where that costs nothing; false: read on until there.
  virtual bool seek(uint64_t offset) = 0;
};

/// "-": standard input. Packed files are known by their first bytes. `cancelled`: ends the wait for
/// a pipe with an error. Errors: kBadInput when it can't be opened, or isn't packed as its name
/// (.gz, .zst) says.
std::unique_ptr<ByteSource> open_bytes(const std::string& path,
                                       const std::atomic<bool>* cancelled = nullptr);

/// Standard input or a pipe: what was read can't be read again.
bool is_stream(const std::string& path);

}  // namespace embedforge
