// Takes: texts. Gives: the request that a provider wants and the vectors out of its answer. Never:
// talks to anyone; remote.cc does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace embedforge {

struct ProviderCall {
  std::string model;
  std::vector<std::string> texts;
  std::string input_type;  // "document" or "query"
  std::string prompt_name;
};

struct ProviderAnswer {
  std::vector<std::vector<float>> rows;  // in the order of the texts
  uint64_t tokens = 0;                   // 0: not in the body
};

/// One way to ask for embeddings.
struct Provider {
  const char* name;
  const char* address;   // base URL unless told otherwise; "": must be told
  const char* url_name;  // environment variable of the base URL
  const char* key_name;  // environment variable of the key; nullptr: none is needed
  bool key_required;     // at the usual address
  const char* path;      // after the base URL
  size_t most_texts;     // a request
  size_t most_bytes;     // of text in a request (a token has at least one byte)
  nlohmann::json (*body)(const ProviderCall& call);
  ProviderAnswer (*parse)(const nlohmann::json& answer, size_t texts);
};

/// Errors: kUsage with the known names.
const Provider& find_provider(std::string_view name);
bool is_remote_provider(std::string_view name);

}  // namespace embedforge
