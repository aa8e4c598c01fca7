// Takes: a file of the hub. Gives: it in the cache's blobs/, checked. Never: gives a blob the name
// of a checksum that it doesn't have, or writes one that another process is writing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "http/client.h"
#include "hub/repository.h"

namespace embedforge {

struct BlobTarget {
  std::filesystem::path cache;       // that has .locks/
  std::filesystem::path repository;  // models--owner--name, with blobs/
};

/// True when it had to be downloaded. blobs/ETAG.incomplete keeps what came before a transfer broke
/// off (as huggingface_hub did up to version 0); large files come in ranges, four at a time, into
/// ETAG.ranges with a byte for each finished range in ETAG.ranges.done. `advance`: bytes that are
/// there now, from several threads. Errors: kRemote (status, broken connection, wrong checksum
/// after a second try); kBadInput (disk).
bool download_blob(const HttpClient& client, const HubSettings& settings,
                   const Repository& repository, const RepositoryFile& file,
                   const BlobTarget& target, const std::function<void(int64_t)>& advance);

}  // namespace embedforge
