#include "embedforge/embedder.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bindings.h"
#include "embedforge/error.h"
#include "texts.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it
using Array = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

template <typename T>
T choice(const std::string& value, const std::map<std::string, T>& known, const std::string& name) {
  const auto found = known.find(value);
  if (found != known.end()) return found->second;
  std::string names;
  for (const auto& [key, ignored] : known) names += (names.empty() ? "" : ", ") + key;
  throw_usage(name + "=\"" + value + "\" is unknown; known are " + names);
}

Embedder load(const std::string& model, const std::string& file, const std::string& tokenizer,
              int threads, int max_length, const std::optional<std::string>& pooling,
              const std::optional<std::string>& precision) {
  EmbedderOptions options;
  options.file = file;
  options.tokenizer = tokenizer;
  options.threads = threads;
  options.max_length = max_length;
  if (pooling) {
    options.pooling = choice<Pooling>(*pooling,
                                      {{"mean", Pooling::kMean},
                                       {"cls", Pooling::kCls},
                                       {"max", Pooling::kMax},
                                       {"last", Pooling::kLast}},
                                      "pooling");
  }
  if (precision) {
    options.precision = choice<Precision>(*precision,
                                          {{"auto", Precision::kAuto},
                                           {"fp32", Precision::kFloat32},
                                           {"bf16", Precision::kBfloat16},
                                           {"int8", Precision::kInt8}},
                                          "precision");
  }
  const nb::gil_scoped_release unlocked;
  return Embedder::load(model, options);
}

Array encode(const Embedder& embedder, const nb::sequence& texts, size_t batch_size, bool normalize,
             const std::string& prompt_name, const std::string& prompt, size_t dimensions) {
  const Texts held(texts);
  const EncodeOptions options = {.normalize = normalize,
                                 .batch_size = batch_size,
                                 .prompt_name = prompt_name,
                                 .prompt = prompt,
                                 .dimensions = dimensions};
  auto result = std::make_unique<Matrix>();
  {
    const nb::gil_scoped_release unlocked;
    *result = embedder.encode(held.views(), options);
  }
  Matrix* matrix = result.get();
  const nb::capsule owner(matrix, [](void* data) noexcept { delete static_cast<Matrix*>(data); });
  result.release();  // NOLINT(bugprone-unused-return-value): the capsule owns it now
  return {matrix->values.data(), {matrix->rows, matrix->columns}, owner};
}

}  // namespace

void register_embedder(nb::module_& module) {
  nb::class_<Embedder>(module, "Embedder")
      .def_static("load", load, "model"_a, "file"_a, "tokenizer"_a, "threads"_a, "max_length"_a,
                  "pooling"_a.none(), "precision"_a.none())
      .def("encode", encode, "texts"_a, "batch_size"_a, "normalize"_a, "prompt_name"_a, "prompt"_a,
           "dimensions"_a)
      .def_prop_ro("dimension", &Embedder::dimension)
      .def_prop_ro("max_length", &Embedder::max_length)
      .def_prop_ro("threads", &Embedder::threads)
      .def_prop_ro("model_path", &Embedder::model_path);
}

}  // namespace embedforge::python
