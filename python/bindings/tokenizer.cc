#include "tokenize/tokenizer.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>

#include "bindings.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

Encoding encode_text(const Tokenizer& tokenizer, std::string_view text, size_t max_length,
                     bool add_special_tokens) {
  const nb::gil_scoped_release unlocked;
  return tokenizer.encode(text, {max_length, add_special_tokens});
}

}  // namespace

void register_tokenizer(nb::module_& module) {
  nb::class_<Encoding>(module, "Encoding")
      .def_ro("ids", &Encoding::ids)
      .def_ro("type_ids", &Encoding::type_ids)
      .def_ro("tokens", &Encoding::tokens)
      .def_ro("offsets", &Encoding::offsets);
  nb::class_<Tokenizer>(module, "Tokenizer")
      .def_static(
          "load", [](const std::string& path) { return Tokenizer::load(path); }, "path"_a)
      .def("encode", encode_text, "text"_a, "max_length"_a, "add_special_tokens"_a)
      .def("decode", &Tokenizer::decode, "ids"_a, "skip_special_tokens"_a);
}

}  // namespace embedforge::python
