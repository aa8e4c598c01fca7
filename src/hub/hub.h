// Takes: what a user names a model by. Gives: the local folder (and the .onnx file) that it stands
// for. Never: reads a model's content.
#pragma once

#include <filesystem>
#include <string>

#include "embedforge/hub.h"

namespace embedforge {

struct ResolvedModel {
  std::filesystem::path
      folder;  // the model folder; for an .onnx file: that of its tokenizer and settings
  std::filesystem::path file;  // the .onnx file when the model was named by one, else empty

  /// The .onnx file that is meant: `named` as find_onnx() takes it, "" for the one that the model
  /// was named by, else the folder's. Errors: as find_onnx().
  std::filesystem::path onnx(const std::string& named = "") const;
};

/// The folder of Hugging Face's cache: HF_HUB_CACHE, else HF_HOME/hub, else
/// XDG_CACHE_HOME/huggingface/hub, else
/// ~/.cache/huggingface/hub.
std::filesystem::path hub_cache();

/// `model`: an existing folder, an existing .onnx file, or a hub id (owner/name or name). Its
/// revision `main` is taken from the cache where all that the model needs is there (needs.h); else
/// it is pulled, unless HF_HUB_OFFLINE is set. `file`: the .onnx file of a hub id that is wanted,
/// by its path. The folder of an .onnx file is its own, or the one above when it lies in a folder
/// onnx/ without a tokenizer.json. Errors: kBadInput when it is none of these, saying where was
/// looked, and offline with the names of the files that are missing; as pull().
ResolvedModel resolve_model(const std::string& model, PullWhat what = PullWhat::kOnnx,
                            const std::string& file = "");

/// "models--owner--name", the cache's folder name of a hub id. Errors: kBadInput when it is no hub
/// id.
std::string cache_folder_name(const std::string& id);

}  // namespace embedforge
