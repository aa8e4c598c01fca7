#include "embedforge/client.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

#include "arrays.h"
#include "bindings.h"
#include "texts.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

std::unique_ptr<EmbeddingClient> open(const std::string& provider, const std::string& model,
                                      const std::string& base_url, const std::string& api_key,
                                      double timeout, int retries) {
  const nb::gil_scoped_release unlocked;
  return std::make_unique<EmbeddingClient>(
      EmbeddingClient::open({provider, model, base_url, api_key, timeout, retries, {}}));
}

FloatArray embed(const EmbeddingClient& client, const nb::object& texts, bool normalize,
                 size_t dimensions, size_t batch_size, const std::string& input_type,
                 const std::string& prompt_name, const std::string& prompt) {
  const Texts held(texts);
  const EmbedOptions options = {normalize, dimensions, batch_size, input_type, prompt_name, prompt};
  auto result = std::make_unique<Matrix>();
  {
    const nb::gil_scoped_release unlocked;
    *result = client.embed(held.views(), options);
  }
  return to_array(std::move(result));
}

}  // namespace

void register_client(nb::module_& module) {
  nb::class_<EmbeddingClient>(module, "Client")
      .def_static("open", open, "provider"_a, "model"_a, "base_url"_a, "api_key"_a, "timeout"_a,
                  "retries"_a)
      .def("embed", embed, "texts"_a, "normalize"_a, "dimensions"_a, "batch_size"_a, "input_type"_a,
           "prompt_name"_a, "prompt"_a)
      .def("usage", [](const EmbeddingClient& client) {
        const Usage usage = client.usage();
        return std::tuple<uint64_t, uint64_t, uint64_t>(usage.requests, usage.texts, usage.tokens);
      });
}

}  // namespace embedforge::python
