#include "embedforge/embedder.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.h"
#include "bindings.h"
#include "embedder_options.h"
#include "embedforge/error.h"
#include "fields.h"
#include "tell.h"
#include "texts.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

/// The embedder, and what isn't done as asked for.
std::pair<std::unique_ptr<Embedder>, std::vector<std::string>> load(const std::string& model,
                                                                    const nb::kwargs& given) {
  EmbedderOptions options = embedder_options(given);
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& message) { warnings.push_back(message); };
  options.tell = tell_python;
  std::unique_ptr<Embedder> embedder;
  {
    const nb::gil_scoped_release unlocked;
    embedder = std::make_unique<Embedder>(Embedder::load(model, options));
  }
  return {std::move(embedder), std::move(warnings)};
}

InputType input_type_of(const std::string& name) {
  if (name == "query") return InputType::kQuery;
  if (name == "document") return InputType::kDocument;
  throw_usage("input_type=\"" + name + "\" is unknown; known are document, query");
}

/// By the names of the fields of EncodeOptions, and input_type.
std::pair<EncodeOptions, InputType> encode_options_of(const nb::kwargs& given) {
  EncodeOptions options;
  InputType type = InputType::kNone;
  Fields fields(given);
  fields.take("batch_size", options.batch_size);
  fields.take("normalize", options.normalize);
  fields.take("prompt_name", options.prompt_name);
  fields.take<std::string>("prompt", options.prompt, std::identity());
  fields.take("dimensions", options.dimensions);
  fields.take<std::string>("input_type", type, input_type_of);
  fields.finish("option");
  return {std::move(options), type};
}

FloatArray encode(const Embedder& embedder, const nb::object& texts, const nb::kwargs& given) {
  const auto [options, type] = encode_options_of(given);
  const Texts held(texts);
  auto result = std::make_unique<Matrix>();
  {
    const nb::gil_scoped_release unlocked;
    *result = embedder.encode(held.views(), options, type);
  }
  return to_array(std::move(result));
}

/// The rows of all texts, and where each text's begin.
std::pair<FloatArray, std::vector<size_t>> encode_tokens(const Embedder& embedder,
                                                         const nb::object& texts,
                                                         const nb::kwargs& given) {
  const auto [options, type] = encode_options_of(given);
  const Texts held(texts);
  TokenEmbeddings result;
  {
    const nb::gil_scoped_release unlocked;
    result = embedder.encode_tokens(held.views(), options, type);
  }
  return {to_array(std::make_unique<Matrix>(std::move(result.rows))), std::move(result.offsets)};
}

}  // namespace

void register_embedder(nb::module_& module) {
  nb::class_<TokenizedText>(module, "TokenizedText")
      .def_ro("ids", &TokenizedText::ids)
      .def_ro("tokens", &TokenizedText::tokens)
      .def_ro("offsets", &TokenizedText::offsets);
  nb::class_<EmbedderInfo>(module, "EmbedderInfo")
      .def_ro("model_path", &EmbedderInfo::model_path)
      .def_ro("backend", &EmbedderInfo::backend)
      .def_ro("runtime", &EmbedderInfo::backend)  // its name until 0.1
      .def_ro("compute", &EmbedderInfo::compute)
      .def_ro("providers", &EmbedderInfo::providers)
      .def_ro("inputs", &EmbedderInfo::inputs)
      .def_ro("outputs", &EmbedderInfo::outputs)
      .def_ro("pooling", &EmbedderInfo::pooling)
      .def_ro("dimension", &EmbedderInfo::dimension)
      .def_ro("max_length", &EmbedderInfo::max_length)
      .def_ro("threads", &EmbedderInfo::threads)
      .def_ro("prompts", &EmbedderInfo::prompts)
      .def_ro("default_prompt_name", &EmbedderInfo::default_prompt_name)
      .def_ro("similarity", &EmbedderInfo::similarity)
      .def_ro("normalizes", &EmbedderInfo::normalizes);
  nb::class_<Embedder>(module, "Embedder")
      .def_static("load", load, "model"_a, "options"_a)
      .def("encode", encode, "texts"_a, "options"_a)
      .def("encode_tokens", encode_tokens, "texts"_a, "options"_a)
      .def(
          "tokenize",
          [](const Embedder& embedder, std::string_view text) {
            const nb::gil_scoped_release unlocked;
            return embedder.tokenize(text);
          },
          "text"_a)
      .def(
          "count_tokens",
          [](const Embedder& embedder, std::string_view text) {
            const nb::gil_scoped_release unlocked;
            return embedder.count_tokens(text);
          },
          "text"_a)
      .def("info", &Embedder::info)
      .def("dimension",
           [](const Embedder& embedder) {
             const nb::gil_scoped_release unlocked;
             return embedder.dimension();
           })
      .def("usage", [](const Embedder& embedder) {
        const Usage usage = embedder.usage();
        return std::tuple(usage.requests, usage.texts, usage.tokens);
      });
}

}  // namespace embedforge::python
