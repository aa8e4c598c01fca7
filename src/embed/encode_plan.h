// Takes: a model and the options of encode(). Gives: what is put before its texts, and what is done
// with their vectors afterwards. Never: runs the model.
#pragma once

#include <cstddef>
#include <string>

#include "config/model_config.h"
#include "embedforge/embedder.h"

namespace embedforge {

/// What is put before each text: the named prompt, else the one that goes with the input type;
/// where there is no type, the model's default. Errors: kUsage for a name that the model lacks.
std::string prompt_of(const EmbedderInfo& info, const EncodeOptions& options, InputType type);

/// What the model's files cut vectors of `width` to; 0: not at all.
size_t own_dimensions(const ModelConfig& config, size_t width);

struct Finish {
  size_t dimensions = 0;  // cut to this many; 0: all
  bool centered = false;  // (x - mean) / deviation first, as nomic's models want it before a cut
  bool normalize = true;  // L2, last

  void apply(Matrix& rows) const;
};

/// `config`: nullptr where the model isn't on this machine; `width`: of its vectors, 0: not known.
/// Errors: kUsage for more dimensions than there are.
Finish finish_of(const ModelConfig* config, size_t width, const EncodeOptions& options);

}  // namespace embedforge
