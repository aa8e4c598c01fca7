// Takes: the flags that choose a model and who runs it. Gives: it, loaded, or why it can't be had.
// Never: ignores a flag that was given.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "embedforge/embedder.h"

namespace embedforge::app {

struct ModelFlags {
  std::string model;
  std::string device = "cpu";
  std::string gpu_mem_limit;
  std::string pooling;
  std::string compute = "auto";
  EmbedderOptions options;  // the other flags
};

/// MODEL, and what add_model_options() adds.
void add_model_flags(CLI::App& command, ModelFlags& flags);
void add_model_options(CLI::App& command, ModelFlags& flags);

/// One line on stderr: what isn't done as asked for; what was made and kept.
void warn(const std::string& message);
void tell(const std::string& message);

/// The flags as options, which say on stderr what isn't done as asked for. Errors: kUsage for a
/// flag that has no meaning for the backend.
EmbedderOptions options_of(const ModelFlags& flags);

/// Errors: as options_of() and Embedder::load().
Embedder load_model(const ModelFlags& flags);

}  // namespace embedforge::app
