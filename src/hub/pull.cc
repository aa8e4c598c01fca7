#include <algorithm>
#include <fstream>
#include <mutex>

#include "base/atomic_file.h"
#include "embedforge/error.h"
#include "embedforge/hub.h"
#include "embedforge/version.h"
#include "hub/checksum.h"
#include "hub/download.h"
#include "hub/hub.h"
#include "hub/needs.h"
#include "hub/settings.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

/// snapshots/COMMIT/PATH -> the blob, as a relative link (a copy where there are no links).
void link_blob(const fs::path& repository, const fs::path& link, const std::string& etag) {
  fs::create_directories(link.parent_path());
  const fs::path blob = repository / "blobs" / etag;
  std::error_code problem;
  if (fs::equivalent(link, blob, problem)) return;
  fs::remove(link, problem);
  fs::create_symlink(blob.lexically_relative(link.parent_path()), link, problem);
  if (!problem || fs::equivalent(link, blob, problem))
    return;  // another process may have been first
  fs::copy_file(blob, link, fs::copy_options::overwrite_existing);
}

void write_ref(const fs::path& repository, const std::string& revision, const std::string& commit) {
  if (revision == commit) return;
  AtomicFile file(repository / "refs" / revision);
  file.write(std::string_view(commit));
  file.commit();
}

HttpClient hub_client() {
  HttpOptions options;
  options.user_agent = std::string("embedforge/") + kVersion;
  options.total_seconds = 600;  // of a range
  return HttpClient(options);
}

/// Brings files of one revision into the cache, each once.
class Puller {
 public:
  Puller(const HubSettings& settings, const Repository& repository, const PullOptions& options)
      : settings_(settings), repository_(repository), options_(options) {
    const fs::path cache = options.cache.empty() ? hub_cache() : options.cache;
    target_ = {cache, cache / cache_folder_name(repository.id)};
    out_.commit = repository.commit;
    out_.folder = target_.repository / "snapshots" / repository.commit;
  }

  PullResult run(const HttpClient& client) {
    client_ = &client;
    const RepositoryView view{.name = repository_.id,
                              .has = [&](const std::string& path) { return has(path); },
                              .list = [&] { return names(); },
                              .get = [&](const std::string& path) { return fetch(path); }};
    for (const std::string& path : needed_files(view, options_.what, options_.file).files)
      fetch(path);
    write_ref(target_.repository, options_.revision, repository_.commit);
    return std::move(out_);
  }

 private:
  const RepositoryFile* find(const std::string& path) const {
    const auto it = std::ranges::find(repository_.files, path, &RepositoryFile::path);
    return it == repository_.files.end() ? nullptr : &*it;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    out.reserve(repository_.files.size());
    for (const RepositoryFile& file : repository_.files) out.push_back(file.path);
    return out;
  }
  /// What isn't there is noted as huggingface_hub notes it, so that the cache knows it offline.
  bool has(const std::string& path) const {
    if (find(path) != nullptr) return true;
    const fs::path note = target_.repository / ".no_exist" / repository_.commit / path;
    std::error_code ignored;
    fs::create_directories(note.parent_path(), ignored);
    std::ofstream(note, std::ios::app).flush();
    return false;
  }
  fs::path fetch(const std::string& path) {
    const RepositoryFile* file = find(path);
    if (file == nullptr) return {};  // said by whoever reads the model
    const fs::path link = out_.folder / path;
    const auto done = std::ranges::find(out_.files, path, &PulledFile::path);
    if (done != out_.files.end()) return link;
    total_ += file->size;
    bool fetched = false;
    if (is_whole(link, *file)) {
      advance(static_cast<int64_t>(file->size));
    } else {
      fetched = download_blob(*client_, settings_, repository_, *file, target_,
                              [this](int64_t bytes) { advance(bytes); });
      link_blob(target_.repository, link, file->etag);
    }
    out_.files.push_back({path, file->size, fetched});
    return link;
  }
  /// A file of a cache without links (Windows, some network drives) that has the right content.
  static bool is_whole(const fs::path& path, const RepositoryFile& file) {
    std::error_code ignored;
    return fs::is_regular_file(fs::symlink_status(path, ignored)) &&
           fs::file_size(path, ignored) == file.size && digest_of(path, file.etag) == file.etag;
  }
  void advance(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    done_ += bytes;
    if (options_.progress)
      options_.progress(static_cast<uint64_t>(std::max<int64_t>(0, done_)), total_);
  }

  const HubSettings& settings_;
  const Repository& repository_;
  const PullOptions& options_;
  const HttpClient* client_ = nullptr;
  BlobTarget target_;
  PullResult out_;
  std::mutex mutex_;
  int64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

PullResult pull(const std::string& id, const PullOptions& options) {
  if (!is_hub_id(id)) throw_bad_input("\"" + id + "\" is not a hub id (owner/name)");
  if (!is_revision(options.revision)) {
    throw_usage("\"" + options.revision + "\" can't be a revision");
  }
  const HubSettings settings = hub_settings();
  if (settings.offline) {
    throw Error(ErrorCode::kRemote, id + ": HF_HUB_OFFLINE is set, so nothing is pulled");
  }
  const HttpClient client = hub_client();
  const Repository repository = read_repository(client, settings, id, options.revision);
  return Puller(settings, repository, options).run(client);
}

}  // namespace embedforge
