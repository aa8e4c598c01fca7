#include "hub/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "embedforge/error.h"

namespace embedforge {

FileLock::FileLock(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw_bad_input(path.string() + ": can't be made: " + std::strerror(errno));
  int result = 0;
  do {
    result = flock(fd_, LOCK_EX);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return;
  const std::string why = std::strerror(errno);
  close(fd_);
  throw_bad_input(path.string() + ": can't be locked: " + why);
}

FileLock::~FileLock() { close(fd_); }

}  // namespace embedforge
