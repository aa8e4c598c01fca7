#include <exception>

#include "bindings.h"
#include "embedforge/error.h"

namespace embedforge::python {
namespace {

/// The class of embedforge/errors.py that stands for a code.
const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return "UsageError";
    case ErrorCode::kBadInput:
      return "BadInputError";
    case ErrorCode::kNotSupported:
      return "NotSupportedError";
    case ErrorCode::kRemote:
      return "RemoteError";
    case ErrorCode::kBug:
      break;
  }
  return "EmbedforgeError";
}

void translate(const std::exception_ptr& pointer, void* /*payload*/) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) {
    const nanobind::object type =
        nanobind::module_::import_("embedforge.errors").attr(class_name(error.code()));
    PyErr_SetString(type.ptr(), error.what());
  }
}

}  // namespace

void register_errors(nanobind::module_& /*module*/) {
  nanobind::register_exception_translator(translate);
}

}  // namespace embedforge::python
