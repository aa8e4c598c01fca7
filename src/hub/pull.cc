#include <algorithm>
#include <fstream>
#include <mutex>

#include "base/atomic_file.h"
#include "embedforge/error.h"
#include "embedforge/hub.h"
#include "embedforge/version.h"
#include "hub/download.h"
#include "hub/hub.h"
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
  const fs::path cache = options.cache.empty() ? hub_cache() : options.cache;
  const HttpClient client = hub_client();
  const Repository repository = read_repository(client, settings, id, options.revision);
  const std::vector<RepositoryFile> files = choose_files(repository, options.what);
  const BlobTarget target{cache, cache / cache_folder_name(id)};
  uint64_t total = 0;
  for (const RepositoryFile& file : files) total += file.size;
  std::mutex mutex;
  int64_t done = 0;
  const auto advance = [&](int64_t bytes) {
    const std::lock_guard lock(mutex);
    done += bytes;
    if (options.progress)
      options.progress(static_cast<uint64_t>(std::max<int64_t>(0, done)), total);
  };
  PullResult out;
  out.commit = repository.commit;
  out.folder = target.repository / "snapshots" / repository.commit;
  for (const RepositoryFile& file : files) {
    const bool fetched = download_blob(client, settings, repository, file, target, advance);
    link_blob(target.repository, out.folder / file.path, file.etag);
    out.files.push_back({file.path, file.size, fetched});
  }
  write_ref(target.repository, options.revision, repository.commit);
  return out;
}

}  // namespace embedforge
