#include "embedforge/reranker.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings.h"
#include "embedder_options.h"
#include "tell.h"
#include "texts.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

/// The reranker, and what isn't done as asked for.
std::pair<std::unique_ptr<Reranker>, std::vector<std::string>> load_reranker(
    const std::string& model, const nb::kwargs& given) {
  EmbedderOptions options = embedder_options(given);
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& message) { warnings.push_back(message); };
  options.tell = tell_python;
  std::unique_ptr<Reranker> reranker;
  {
    const nb::gil_scoped_release unlocked;
    reranker = std::make_unique<Reranker>(Reranker::load(model, options));
  }
  return {std::move(reranker), std::move(warnings)};
}

std::vector<float> score(const Reranker& reranker, std::string_view query,
                         const std::vector<std::string>& texts, bool raw) {
  const nb::gil_scoped_release unlocked;
  return reranker.score(query, texts, raw);
}

}  // namespace

void register_reranker(nb::module_& module) {
  nb::class_<Reranker>(module, "Reranker")
      .def_static("load", load_reranker, "model"_a, "options"_a)
      .def("score", score, "query"_a, "texts"_a, "raw"_a);
}

}  // namespace embedforge::python
