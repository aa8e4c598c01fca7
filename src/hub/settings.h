// Takes: the environment. Gives: where the hub and its cache are, as huggingface_hub reads them.
// Never: asks the network.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace embedforge {

struct HubSettings {
  std::string endpoint;  // HF_ENDPOINT, else https://huggingface.co; without a / at its end
  std::string token;     // HF_TOKEN, else the file HF_TOKEN_PATH or HF_HOME/token; may be empty
  bool offline = false;  // HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE
};

HubSettings hub_settings();

/// HF_HOME, else XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface.
std::filesystem::path hub_home();

/// owner/name or name, of letters, digits and -_. without "..", "--" or such at either end.
bool is_hub_id(std::string_view id);
/// A branch, tag or commit: no "..", no spaces or control characters, no / at either end.
bool is_revision(std::string_view revision);
/// 40 hexadecimal digits.
bool is_commit(std::string_view text);

}  // namespace embedforge
