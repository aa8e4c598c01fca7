#include "bindings.h"
#include "embedforge/version.h"

NB_MODULE(_core, module) {
  module.attr("__version__") = embedforge::kVersion;
  embedforge::python::register_errors(module);
  embedforge::python::register_model(module);
  embedforge::python::register_quantize(module);
  embedforge::python::register_tokenizer(module);
  embedforge::python::register_embedder(module);
  embedforge::python::register_embed_job(module);
  embedforge::python::register_reranker(module);
  embedforge::python::register_vectors(module);
}
