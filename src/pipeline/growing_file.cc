#include "pipeline/growing_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "embedforge/error.h"
#include "pipeline/content_hash.h"

namespace embedforge {
namespace {

[[noreturn]] void cannot_write(const std::filesystem::path& path) {
  throw_bad_input(path.string() + ": cannot write: " + std::strerror(errno));
}

}  // namespace

std::filesystem::path GrowingFile::partial_path(const std::filesystem::path& path) {
  return path.string() + ".partial";
}

GrowingFile::GrowingFile(const std::filesystem::path& path, uint64_t size)
    : path_(path), partial_(partial_path(path)), size_(size) {
  if (size > 0) {
    open();
  } else {
    ::unlink(partial_.c_str());
  }
}

GrowingFile::~GrowingFile() {
  if (fd_ >= 0) ::close(fd_);
}

void GrowingFile::open() {
  const int create = size_ == 0 ? O_CREAT : 0;
  fd_ = ::open(partial_.c_str(), O_RDWR | O_CLOEXEC | create, 0644);
  if (fd_ < 0) cannot_write(partial_);
  struct stat info {};
  if (::fstat(fd_, &info) != 0) cannot_write(partial_);
  if (static_cast<uint64_t>(info.st_size) < size_) {
    throw_bad_input(partial_.string() + ": is shorter than the journal says (" +
                    std::to_string(info.st_size) + " of " + std::to_string(size_) +
                    " bytes); --overwrite starts anew");
  }
  if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) cannot_write(partial_);
}

void GrowingFile::put(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) cannot_write(partial_);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
}

void GrowingFile::write(std::string_view bytes) {
  if (bytes.empty()) return;
  if (fd_ < 0) open();
  put(size_, bytes);
  size_ += bytes.size();
}

void GrowingFile::overwrite(uint64_t offset, std::string_view bytes) { put(offset, bytes); }

void GrowingFile::sync() {
  if (fd_ >= 0 && ::fdatasync(fd_) != 0) cannot_write(partial_);
}

void GrowingFile::create() {
  if (fd_ < 0) open();
}

uint64_t GrowingFile::tail_hash(uint64_t size) const {
  std::string tail(std::min<uint64_t>(size, kTailBytes), '\0');
  if (tail.empty()) return 0;
  const ssize_t n = ::pread(fd_, tail.data(), tail.size(), static_cast<off_t>(size - tail.size()));
  return n == static_cast<ssize_t>(tail.size()) ? content_hash(tail) : 0;
}

void GrowingFile::commit() {
  if (fd_ < 0) {
    ::unlink(path_.c_str());
    return;
  }
  sync();
  if (::close(fd_) != 0) cannot_write(partial_);
  fd_ = -1;
  if (::rename(partial_.c_str(), path_.c_str()) != 0) cannot_write(path_);
}

void sync_folder(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // a file system without that
  ::fsync(fd);
  ::close(fd);
}

}  // namespace embedforge
