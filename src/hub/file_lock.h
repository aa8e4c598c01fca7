// Takes: a path. Gives: the right to write what it stands for, which one process has at a time
// (with huggingface_hub's lock, which is flock, too). Never: removes the lock file, since another
// process may wait for it.
#pragma once

#include <filesystem>

namespace embedforge {

class FileLock {
 public:
  /// Waits until it is free. Errors: kBadInput when the file can't be made.
  explicit FileLock(const std::filesystem::path& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  int fd_ = -1;
};

}  // namespace embedforge
