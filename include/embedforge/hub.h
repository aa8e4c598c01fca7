// Models of the Hugging Face hub, in the cache that huggingface_hub uses, too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace embedforge {

/// kOnnx: an .onnx file where the repository has one, else the checkpoint's weights. kWeights:
/// those. kSettings: neither, only the settings and the tokenizer.
enum class PullWhat { kOnnx, kWeights, kSettings };

struct PullOptions {
  std::string revision = "main";  // a branch, a tag or a commit
  std::filesystem::path
      cache;  // empty: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub
  PullWhat what = PullWhat::kOnnx;
  std::string file;  // the .onnx file that is wanted, by its path in the repository
  /// Called from several threads, one at a time: bytes that are there, and of all files together.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct PulledFile {
  std::string path;  // in the repository
  uint64_t bytes = 0;
  bool downloaded = false;  // false: it was in the cache
};

struct PullResult {
  std::filesystem::path folder;  // the snapshot
  std::string commit;
  std::vector<PulledFile> files;
};

/// Brings the files of a model that are needed into the cache: settings, tokenizer, and an .onnx
/// file or weights, with what modules.json, index files and the .onnx's external data name. Each is
/// checked (SHA-256, or git's SHA-1 for small ones) before it counts as there; what was broken off
/// goes on where it was; processes that pull the same wait for each other. HF_ENDPOINT, HF_TOKEN
/// and HF_HUB_OFFLINE as in huggingface_hub. Errors: kBadInput for an id or revision that the hub
/// doesn't have; kRemote with the reason (gated, unreachable, wrong checksum).
PullResult pull(const std::string& id, const PullOptions& options = {});

struct CachedModel {
  std::string id;
  std::string revision;  // a branch or tag that the cache has, else a commit
  std::filesystem::path snapshot;
  uint64_t bytes = 0;  // of the snapshot's files
  bool has_onnx = false;
  bool has_weights = false;
};

/// The models in the cache, by id.
std::vector<CachedModel> cached_models();

}  // namespace embedforge
