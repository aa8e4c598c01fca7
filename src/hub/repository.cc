#include "hub/repository.h"

#include <algorithm>
#include <filesystem>

#include "config/json_file.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

/// A relative path without "..", so that it stays within the snapshot.
bool is_safe(const std::string& path) {
  if (path.empty() || path.find('\\') != std::string::npos || path.find('\0') != std::string::npos)
    return false;
  const fs::path parts = path;
  return parts.is_relative() && std::ranges::none_of(parts, [](const fs::path& part) {
           return part == ".." || part == "." || part.empty();
         });
}

bool is_hex(const std::string& text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

RepositoryFile read_file(const JsonFile& entry) {
  RepositoryFile out;
  out.path = entry.string("rfilename", "");
  out.size = static_cast<uint64_t>(std::max<int64_t>(0, entry.integer("size", 0)));
  out.etag = entry.string("blobId", "");
  if (const nlohmann::json* lfs = entry.find("lfs"); lfs != nullptr && lfs->is_object()) {
    const JsonFile large = JsonFile::of(*lfs, entry.name() + " lfs");
    out.etag = large.string("sha256", "");
    out.size = static_cast<uint64_t>(std::max<int64_t>(0, large.integer("size", 0)));
  }
  if (!is_safe(out.path)) {
    throw Error(ErrorCode::kRemote, entry.name() + ": the file name \"" + out.path +
                                        "\" leaves the model's folder; nothing was written");
  }
  if (!is_hex(out.etag, 40) && !is_hex(out.etag, 64)) {
    throw Error(ErrorCode::kRemote, entry.name() + ": " + out.path + " has no checksum");
  }
  return out;
}

}  // namespace

HttpHeaders hub_headers(const HubSettings& settings) {
  if (settings.token.empty()) return {};
  return {{"Authorization", "Bearer " + settings.token}};
}

void refuse_status(const HttpRequest& request, const HttpResponse& response, const std::string& id,
                   const std::string& what) {
  const std::string_view code = response.header("x-error-code");
  if (response.status == 404) {
    throw_bad_input(id + ": " + what + " is not on the hub (" + shown_url(request.url) + ")" +
                    (code == "RevisionNotFound" ? ": there is no such revision" : ""));
  }
  if (response.status == 401 || response.status == 403) {
    throw Error(ErrorCode::kRemote,
                id + ": the hub refuses " + what + " (" + std::to_string(response.status) +
                    (code == "GatedRepo" ? ", gated" : "") +
                    "): it doesn't exist, is private, or its terms must be accepted on its page; "
                    "then set HF_TOKEN to a token that may read it");
  }
  throw Error(ErrorCode::kRemote, http_failure(request, response));
}

Repository read_repository(const HttpClient& client, const HubSettings& settings,
                           const std::string& id, const std::string& revision) {
  std::string escaped = revision;
  for (size_t at = 0; (at = escaped.find('/', at)) != std::string::npos;)
    escaped.replace(at, 1, "%2F");
  HttpRequest request;
  request.url = settings.endpoint + "/api/models/" + id + "/revision/" + escaped + "?blobs=true";
  request.headers = hub_headers(settings);
  const HttpResponse response = client.send(request);
  if (response.status != 200) refuse_status(request, response, id, "revision " + revision);
  Repository out;
  out.id = id;
  try {
    const JsonFile answer = JsonFile::parse(response.body, shown_url(request.url));
    out.commit = answer.string("sha", "");
    const nlohmann::json* files = answer.find("siblings");
    if (!is_commit(out.commit) || files == nullptr || !files->is_array()) {
      throw_bad_input(answer.name() + ": has no commit or no list of files");
    }
    for (const nlohmann::json& file : *files) {
      out.files.push_back(read_file(JsonFile::of(file, answer.name())));
    }
  } catch (const Error& error) {
    throw Error(ErrorCode::kRemote, error.what());
  }
  return out;
}

}  // namespace embedforge
