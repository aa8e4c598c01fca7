// Takes: the extension module. Gives: the library's classes and functions in it, one register
// function a file. Never: holds the interpreter's lock while it computes.
#pragma once

#include <nanobind/nanobind.h>

namespace embedforge::python {

void register_errors(nanobind::module_& module);
void register_embedder(nanobind::module_& module);
void register_reranker(nanobind::module_& module);
void register_vectors(nanobind::module_& module);
void register_tokenizer(nanobind::module_& module);
void register_embed_job(nanobind::module_& module);
void register_model(nanobind::module_& module);
void register_quantize(nanobind::module_& module);

}  // namespace embedforge::python
