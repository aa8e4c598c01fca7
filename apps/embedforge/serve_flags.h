// Takes: the flags of `embedforge serve` and their environment variables, also those that only
// text-embeddings-inference has. Gives: the options of the server's parts. Never: ignores a flag
// that would change a vector.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "model_flags.h"
#include "serve/access_log.h"
#include "serve/api_keys.h"
#include "serve/http/server.h"
#include "serve/models.h"
#include "serve/queue.h"

namespace embedforge::app {

struct ServeFlags {
  ModelFlags model;  // of each; its MODEL isn't used
  std::vector<std::string> models, aliases;
  std::string model_id;
  serve::HttpOptions http;
  std::string hostname;  // HOSTNAME, where it is an address
  int prometheus_port = 0;
  std::vector<std::string> api_keys, api_key_files;
  serve::Settings settings;
  size_t tokenization_workers = 0;
  size_t max_batch_requests = 0;
  std::string auto_truncate = "true";
  std::string token_ids = "auto";
  double max_queue_time = 10, request_timeout = 60, drain_timeout = 30, model_ttl = 0;
  bool json_output = false;
  std::string log_format = "auto", log_level = "info";
  bool log_requests = false;
  // Of text-embeddings-inference.
  std::string revision, dtype, dense_path, hf_token, hub_cache;
  std::vector<std::string> meaningless;
};

void add_serve_flags(CLI::App& command, ServeFlags& flags);

/// Says what isn't done as asked for, and passes on what others read from the environment. Errors:
/// kUsage for what would change vectors. To be called first.
void check_serve_flags(const CLI::App& command, ServeFlags& flags);

serve::LogOptions log_options_of(const ServeFlags& flags);
serve::ApiKeys api_keys_of(const ServeFlags& flags);
serve::Settings settings_of(const ServeFlags& flags);
serve::ModelsOptions models_options_of(const ServeFlags& flags);
serve::QueueOptions queue_options_of(const ServeFlags& flags);

}  // namespace embedforge::app
