// Takes: the flags that choose a model and how it runs. Gives: the loaded Embedder, or why it can't
// be had. Never: ignores a flag that was given.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "embedforge/embedder.h"

namespace embedforge::app {

struct ModelFlags {
  std::string model;
  std::string file;
  std::string tokenizer;
  std::string backend = "native";
  std::string device = "cpu";
  std::string device_id;
  std::string gpu_mem_limit;
  std::string pooling;
  int threads = 0;
  int max_length = 0;
};

void add_model_flags(CLI::App& command, ModelFlags& flags);

/// Errors: kNotSupported for a backend, device or GPU setting that this build doesn't have.
Embedder load_embedder(const ModelFlags& flags);
/// The flags as the library takes them. Errors: the same.
EmbedderOptions embedder_options(const ModelFlags& flags);

}  // namespace embedforge::app
