// Takes: keyword arguments. Gives: the options of a model, by the names of EmbedderOptions' fields.
// Never: lets an unknown one pass.
#pragma once

#include <nanobind/nanobind.h>

#include "embedforge/embedder.h"

namespace embedforge::python {

EmbedderOptions embedder_options(const nanobind::kwargs& given);

}  // namespace embedforge::python
