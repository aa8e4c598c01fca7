// Takes: a model's id and revision. Gives: its commit and files, as the hub lists them. Never:
// trusts a name from there before it was checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "http/client.h"
#include "hub/settings.h"

namespace embedforge {

struct RepositoryFile {
  std::string path;
  uint64_t size = 0;
  std::string etag;  // SHA-256 of large files (LFS), git's SHA-1 of others
};

struct Repository {
  std::string id;
  std::string commit;
  std::vector<RepositoryFile> files;
};

/// Errors: kBadInput for an unknown id or revision; kRemote for others (401 and 403: gated).
Repository read_repository(const HttpClient& client, const HubSettings& settings,
                           const std::string& id, const std::string& revision);

/// The request's headers: the token where there is one.
HttpHeaders hub_headers(const HubSettings& settings);

/// What a status of the hub means for a user. Throws.
[[noreturn]] void refuse_status(const HttpRequest& request, const HttpResponse& response,
                                const std::string& id, const std::string& what);

}  // namespace embedforge
