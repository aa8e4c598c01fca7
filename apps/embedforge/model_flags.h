// Takes: the flags that choose a model and who runs it. Gives: it, loaded, or why it can't be had.
// Never: ignores a flag that was given.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "embedforge/embedder.h"

namespace embedforge::app {

struct ModelFlags {
  std::string model;
  std::string file;
  std::string tokenizer;
  std::string backend = "native";
  std::string device = "cpu";
  std::string base_url;
  int device_id = 0;
  std::string gpu_mem_limit;
  std::string pooling;
  Compute compute = Compute::kAuto;  // native only
  int threads = 0;
  int max_length = 0;
};

/// Those that --backend takes.
std::vector<std::string> backend_names();

void add_model_flags(CLI::App& command, ModelFlags& flags);

/// A model, whoever runs it.
struct LoadedModel {
  std::function<Matrix(std::span<const std::string>, const EncodeOptions&)> encode;
  size_t dimension = 0;  // 0: known with the first vectors (servers, torch)
};

/// Says on stderr what isn't done as asked for. Errors: kUsage for a flag that has no meaning for
/// the backend; those of Embedder::load and EmbeddingClient::open.
LoadedModel load_model(const ModelFlags& flags);

/// The flags for the engine's own classes. Errors: kUsage for a flag that has no meaning there,
/// kNotSupported for another backend.
EmbedderOptions native_options(const ModelFlags& flags);

}  // namespace embedforge::app
