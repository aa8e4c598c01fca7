#include "pipeline/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "embedforge/error.h"
#include "pipeline/content_hash.h"

namespace embedforge {
namespace {

constexpr size_t kPackedBuffer = size_t{128} << 10U;

std::string shown_name(const std::string& path) { return path == "-" ? "standard input" : path; }

int64_t modified_time(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

/// The bytes as they are. Of a regular file it is checked at the end that it is as it was at the
/// start.
class FileBytes : public ByteSource {
 public:
  explicit FileBytes(const std::string& path, const std::atomic<bool>* cancelled = nullptr)
      : name_(shown_name(path)), cancelled_(cancelled) {
    fd_ = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw_bad_input(name_ + ": cannot open: " + std::strerror(errno));
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || S_ISDIR(info.st_mode)) {
      ::close(fd_);
      throw_bad_input(name_ + ": is a folder; name the files in it, such as '" + name_ +
                      "/*.jsonl'");
    }
    regular_ = S_ISREG(info.st_mode) && path != "-";
    size_ = static_cast<uint64_t>(info.st_size);
    modified_ = modified_time(info);
  }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes() override { ::close(fd_); }

  /// The first bytes, up to `count`; they are read again.
  std::string_view peek(size_t count) {
    while (head_.size() < count) {
      std::array<char, 16> bytes{};
      const size_t n =
          read_file(std::span(bytes).first(std::min(bytes.size(), count - head_.size())));
      if (n == 0) break;
      head_.append(bytes.data(), n);
    }
    return head_;
  }
  size_t read(std::span<char> buffer) override {
    if (head_.empty()) return read_file(buffer);
    const size_t n = std::min(buffer.size(), head_.size());
    std::copy_n(head_.begin(), n, buffer.begin());
    head_.erase(0, n);
    return n;
  }
  uint64_t consumed() const override { return read_ - head_.size(); }
  bool seek(uint64_t offset) override {
    if (!regular_ || offset > size_) return false;
    if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) return false;
    head_.clear();
    read_ = offset;
    return true;
  }
  const std::string& name() const { return name_; }

 private:
  size_t read_file(std::span<char> buffer) {
    while (true) {
      if (!regular_) wait();
      const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw_bad_input(name_ + ": cannot read: " + std::strerror(errno));
      if (n == 0) check_unchanged();
      read_ += static_cast<uint64_t>(n);
      return static_cast<size_t>(n);
    }
  }
  /// For bytes of a pipe, or until it is cancelled.
  void wait() const {
    constexpr int kMilliseconds = 100;
    pollfd one{fd_, POLLIN, 0};
    while (cancelled_ != nullptr && ::poll(&one, 1, kMilliseconds) <= 0) {
      if (*cancelled_) throw_bad_input(name_ + ": reading was stopped");
    }
  }
  void check_unchanged() const {
    if (!regular_) return;
    struct stat info {};
    if (::fstat(fd_, &info) != 0) throw_bad_input(name_ + ": cannot read: " + std::strerror(errno));
    const auto size = static_cast<uint64_t>(info.st_size);
    if (size == size_ && read_ == size_ && modified_time(info) == modified_) return;
    throw_bad_input(name_ + ": changed while it was read (" + std::to_string(size_) +
                    " bytes at first, now " + std::to_string(size) +
                    "); start anew on a file that rests");
  }

  std::string name_;
  const std::atomic<bool>* cancelled_;
  int fd_ = -1;
  bool regular_ = false;
  uint64_t size_ = 0, read_ = 0;
  int64_t modified_ = 0;
  std::string head_;
};

/// What both kinds of packed files have in common.
class PackedBytes : public ByteSource {
 public:
  explicit PackedBytes(std::unique_ptr<FileBytes> file)
      : file_(std::move(file)), buffer_(kPackedBuffer) {}
  uint64_t consumed() const override { return file_->consumed(); }
  bool seek(uint64_t /*offset*/) override { return false; }

 protected:
  /// False at the end of the file.
  bool fill() {
    at_ = 0;
    size_ = file_->read(buffer_);
    return size_ > 0;
  }
  [[noreturn]] void truncated(const char* kind) const {
    throw_bad_input(file_->name() + ": the " + kind +
                    " data end in the middle; the file is cut off");
  }
  [[noreturn]] void damaged(const char* kind, const char* reason) const {
    throw_bad_input(file_->name() + ": damaged " + kind + " data near byte " +
                    std::to_string(file_->consumed()) + ": " + reason);
  }
  const char* data() const { return buffer_.data() + at_; }
  size_t left() const { return size_ - at_; }
  void advance(size_t n) { at_ += n; }

 private:
  std::unique_ptr<FileBytes> file_;
  std::vector<char> buffer_;
  size_t at_ = 0, size_ = 0;
};

class GzipBytes : public PackedBytes {
 public:
  explicit GzipBytes(std::unique_ptr<FileBytes> file) : PackedBytes(std::move(file)) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
  }
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;
  ~GzipBytes() override { inflateEnd(&stream_); }

  size_t read(std::span<char> buffer) override {
    while (true) {
      if (left() == 0 && !fill()) {
        if (within_) truncated("gzip");
        return 0;
      }
      if (!within_) {
        while (left() > 0 && *data() == 0) advance(1);  // padding of tapes and the like
        if (left() == 0) continue;
        inflateReset(&stream_);
        within_ = true;
      }
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data()));
      stream_.avail_in = static_cast<uInt>(left());
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(std::min<size_t>(buffer.size(), size_t{1} << 30U));
      const uInt room = stream_.avail_out;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      advance(left() - stream_.avail_in);
      if (code == Z_STREAM_END) within_ = false;  // another member may follow
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        damaged("gzip", stream_.msg != nullptr ? stream_.msg : "not gzip");
      if (stream_.avail_out < room) return room - stream_.avail_out;
    }
  }

 private:
  z_stream stream_{};
  bool within_ = true;  // a member
};

class ZstdBytes : public PackedBytes {
 public:
  explicit ZstdBytes(std::unique_ptr<FileBytes> file)
      : PackedBytes(std::move(file)), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
    if (stream_ == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);  // 128 MB
  }

  size_t read(std::span<char> buffer) override {
    while (true) {
      if (left() == 0 && !fill()) {
        // What is unpacked already may not have fitted into the last buffer.
        ZSTD_inBuffer nothing{nullptr, 0, 0};
        ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
        if (within_) check(ZSTD_decompressStream(stream_.get(), &out, &nothing));
        if (out.pos == 0 && within_) truncated("zstd");
        return out.pos;
      }
      ZSTD_inBuffer in{data(), left(), 0};
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      check(ZSTD_decompressStream(stream_.get(), &out, &in));
      advance(in.pos);
      if (out.pos > 0) return out.pos;
    }
  }

 private:
  void check(size_t code) {
    if (ZSTD_isError(code) != 0) damaged("zstd", ZSTD_getErrorName(code));
    within_ = code != 0;
  }
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
  bool within_ = true;  // a frame
};

}  // namespace

bool is_stream(const std::string& path) {
  struct stat info {};
  return path == "-" ||
         (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

FileIdentity identify_file(const std::string& path) {
  struct stat info {};
  if (is_stream(path)) return {.stream = true};
  if (::stat(path.c_str(), &info) != 0)
    throw_bad_input(path + ": cannot open: " + std::strerror(errno));
  FileBytes file(path);
  std::vector<char> prefix(FileIdentity::kPrefixBytes);
  size_t size = 0;
  while (size < prefix.size()) {
    const size_t n = file.read(std::span(prefix).subspan(size));
    if (n == 0) break;
    size += n;
  }
  return {.size = static_cast<uint64_t>(info.st_size),
          .modified = modified_time(info),
          .prefix_hash = content_hash({prefix.data(), size})};
}

std::unique_ptr<ByteSource> open_bytes(const std::string& path,
                                       const std::atomic<bool>* cancelled) {
  auto file = std::make_unique<FileBytes>(path, cancelled);
  const std::string_view head = file->peek(4);
  const bool gzip = head.starts_with("\x1F\x8B");
  const bool zstd = head.starts_with("\x28\xB5\x2F\xFD");
  if (path.ends_with(".gz") && !gzip)
    throw_bad_input(path + ": is named .gz but isn't gzip; is it cut off, or not packed?");
  if (path.ends_with(".zst") && !zstd)
    throw_bad_input(path + ": is named .zst but isn't zstd; is it cut off, or not packed?");
  if (gzip) return std::make_unique<GzipBytes>(std::move(file));
  if (zstd) return std::make_unique<ZstdBytes>(std::move(file));
  return file;
}

}  // namespace embedforge
