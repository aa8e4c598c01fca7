#include "base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "embedforge/error.h"

namespace embedforge {
namespace {

// Paths of the files being written, for remove_partial_files(). Fixed so that a signal handler may
// walk it.
constexpr size_t kMaxOpen = 64;
std::array<std::atomic<const char*>, kMaxOpen> partial_paths{};

void remember(const char* path) {
  for (auto& slot : partial_paths) {
    const char* expected = nullptr;
    if (slot.compare_exchange_strong(expected, path)) return;
  }
}

void forget(const char* path) {
  for (auto& slot : partial_paths) {
    const char* expected = path;
    if (slot.compare_exchange_strong(expected, nullptr)) return;
  }
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path) {
  std::error_code ignored;
  const std::filesystem::path folder = path.parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  static std::atomic<unsigned> counter{0};
  partial_ = folder / ("." + path.filename().string() + "." + std::to_string(getpid()) + "." +
                       std::to_string(counter++) + ".partial");
  fd_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) throw_bad_input(path.string() + ": cannot write: " + std::strerror(errno));
  remember(partial_.c_str());
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(partial_.c_str());
  forget(partial_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_bad_input(path_.string() + ": cannot write: " + std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
    size_ += static_cast<size_t>(n);
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::overwrite(size_t offset, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::pwrite(fd_, text.data(), text.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_bad_input(path_.string() + ": cannot write: " + std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<size_t>(n);
  }
}

void AtomicFile::commit() {
  if (::close(fd_) != 0 || ::rename(partial_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(partial_.c_str());
    forget(partial_.c_str());
    fd_ = -1;
    throw_bad_input(path_.string() + ": cannot write: " + std::strerror(reason));
  }
  forget(partial_.c_str());
  fd_ = -1;
}

void remove_partial_files() noexcept {
  for (auto& slot : partial_paths) {
    if (const char* path = slot.load()) ::unlink(path);
  }
}

}  // namespace embedforge
