#include "hub/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "embedforge/error.h"
#include "hub/checksum.h"
#include "hub/file_lock.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kRange = uint64_t{8} << 20U;
constexpr uint64_t kParallelFrom = uint64_t{64} << 20U;
constexpr int kConnections = 4;

/// A file that is written at places.
class Partial {
 public:
  explicit Partial(fs::path path) : path_(std::move(path)) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) fail();
  }
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;
  ~Partial() { close(fd_); }

  uint64_t size() const {
    const off_t end = lseek(fd_, 0, SEEK_END);
    if (end < 0) fail();
    return static_cast<uint64_t>(end);
  }
  void resize(uint64_t size) const {
    if (ftruncate(fd_, static_cast<off_t>(size)) != 0) fail();
  }
  void write(uint64_t at, std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail();
      bytes.remove_prefix(static_cast<size_t>(n));
      at += static_cast<uint64_t>(n);
    }
  }
  std::string read_all() const {
    std::string out(size(), '\0');
    const ssize_t n = pread(fd_, out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return out;
  }
  const fs::path& path() const { return path_; }

 private:
  [[noreturn]] void fail() const { throw_bad_input(path_.string() + ": " + std::strerror(errno)); }
  fs::path path_;
  int fd_ = -1;
};

std::string escaped(const std::string& path) {
  static constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || std::strchr("-_.~/", c) != nullptr;
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte / 16], kDigits[byte % 16]};
    }
  }
  return out;
}

class Download {
 public:
  Download(const HttpClient& client, const HubSettings& settings, const Repository& repository,
           const RepositoryFile& file, fs::path blob, const std::function<void(int64_t)>& advance)
      : client_(client),
        id_(repository.id),
        file_(file),
        blob_(std::move(blob)),
        advance_(advance) {
    request_.url = settings.endpoint + "/" + repository.id + "/resolve/" + repository.commit + "/" +
                   escaped(file.path);
    request_.headers = hub_headers(settings);
  }

  void run() {
    for (int tries = 0;; ++tries) {
      const fs::path partial = fetch();
      const bool right_size = fs::file_size(partial) == file_.size;
      const std::string digest = right_size ? digest_of(partial, file_.etag) : "";
      if (digest == file_.etag) {
        fs::rename(partial, blob_);
        fs::remove(with(".ranges.done"));
        return;
      }
      advance_(-static_cast<int64_t>(there_));
      fs::remove(partial);
      fs::remove(with(".ranges.done"));
      if (tries > 0) {
        throw Error(ErrorCode::kRemote, id_ + ": " + file_.path + " came with another checksum (" +
                                            digest + ") than the hub gives for it (" + file_.etag +
                                            "), twice; nothing was kept");
      }
    }
  }

 private:
  fs::path with(const char* end) const {
    fs::path out = blob_;
    out += end;
    return out;
  }
  void count(uint64_t bytes) {
    there_ += bytes;
    advance_(static_cast<int64_t>(bytes));
  }

  /// The whole file, unchecked.
  fs::path fetch() {
    there_ = 0;
    std::error_code ignored;
    const bool started = fs::exists(with(".incomplete"), ignored);
    if (file_.size >= kParallelFrom && !started) {
      if (auto path = fetch_ranges()) return *path;
    }
    return fetch_stream();
  }

  fs::path fetch_stream() {
    const Partial out(with(".incomplete"));
    uint64_t at = out.size();
    if (at > file_.size) at = 0;
    out.resize(at);
    count(at);
    if (at == file_.size && at > 0) return out.path();
    const HttpSink sink{.begin =
                            [&](const HttpResponse&, uint64_t offset, std::optional<uint64_t>) {
                              if (offset == at) return;
                              advance_(static_cast<int64_t>(offset) - static_cast<int64_t>(at));
                              there_ = at = offset;
                              out.resize(at);
                            },
                        .write =
                            [&](std::string_view bytes) {
                              if (at + bytes.size() > file_.size) {
                                out.resize(0);
                                throw Error(ErrorCode::kRemote,
                                            id_ + ": " + file_.path + " is longer than the " +
                                                std::to_string(file_.size) +
                                                " bytes that the hub gives for it");
                              }
                              out.write(at, bytes);
                              at += bytes.size();
                              count(bytes.size());
                            }};
    client_.download(request_, sink, at);
    return out.path();
  }

  /// nullopt: the server gives no ranges.
  std::optional<fs::path> fetch_ranges() {
    const Partial out(with(".ranges"));
    const Partial done(with(".ranges.done"));
    const uint64_t ranges = (file_.size + kRange - 1) / kRange;
    std::string finished = out.size() == file_.size ? done.read_all() : "";
    finished.resize(ranges, '\0');
    out.resize(file_.size);
    done.resize(ranges);
    std::atomic<uint64_t> next{0};
    std::atomic<bool> stop{false};
    std::atomic<bool> whole{false};  // the server sends everything instead of a range
    std::mutex mutex;
    std::exception_ptr problem;
    const auto work = [&] {
      for (uint64_t i = next++; i < ranges && !stop; i = next++) {
        const uint64_t begin = i * kRange;
        const uint64_t size = std::min(kRange, file_.size - begin);
        try {
          if (finished[i] == '\0') {
            const std::string body = fetch_range(begin, size, whole);
            if (whole) break;
            out.write(begin, body);
            done.write(i, "\1");
          }
          const std::lock_guard lock(mutex);
          count(size);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (problem == nullptr) problem = std::current_exception();
          stop = true;
        }
      }
    };
    std::vector<std::thread> threads;
    for (int i = 1; i < kConnections; ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    if (whole) {
      fs::remove(out.path());
      fs::remove(done.path());
      advance_(-static_cast<int64_t>(there_));
      there_ = 0;
      return std::nullopt;
    }
    if (problem != nullptr) std::rethrow_exception(problem);
    return out.path();
  }

  std::string fetch_range(uint64_t begin, uint64_t size, std::atomic<bool>& whole) const {
    HttpRequest request = request_;
    request.headers.emplace_back(
        "Range", "bytes=" + std::to_string(begin) + "-" + std::to_string(begin + size - 1));
    HttpResponse response = client_.send(request);
    if (response.status == 200) {
      whole = true;
      return "";
    }
    if (response.status != 206) refuse_status(request, response, id_, file_.path);
    if (response.body.size() != size) {
      throw Error(ErrorCode::kRemote, id_ + ": " + file_.path + ": the server sent " +
                                          std::to_string(response.body.size()) + " bytes of " +
                                          std::to_string(size));
    }
    return std::move(response.body);
  }

  const HttpClient& client_;
  std::string id_;
  const RepositoryFile& file_;
  fs::path blob_;
  const std::function<void(int64_t)>& advance_;
  HttpRequest request_;
  uint64_t there_ = 0;
};

}  // namespace

bool download_blob(const HttpClient& client, const HubSettings& settings,
                   const Repository& repository, const RepositoryFile& file,
                   const BlobTarget& target, const std::function<void(int64_t)>& advance) {
  const fs::path blob = target.repository / "blobs" / file.etag;
  std::error_code ignored;
  if (!fs::exists(blob, ignored)) {
    const FileLock lock(target.cache / ".locks" / target.repository.filename() /
                        (file.etag + ".lock"));
    if (!fs::exists(blob, ignored)) {  // nor while we waited
      fs::create_directories(blob.parent_path());
      Download(client, settings, repository, file, blob, advance).run();
      return true;
    }
  }
  advance(static_cast<int64_t>(file.size));
  return false;
}

}  // namespace embedforge
