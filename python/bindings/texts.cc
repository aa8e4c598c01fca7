#include "texts.h"

#include <cstring>

namespace embedforge::python {
namespace {

namespace nb = nanobind;

[[noreturn]] void wrong(const char* format, size_t index, const char* what) {
  PyErr_Format(PyExc_TypeError, format, index, what);
  throw nb::python_error();
}

template <typename T>
T* capsule_pointer(nb::handle capsule, const char* name) {
  auto* pointer = static_cast<T*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (pointer == nullptr) throw nb::python_error();
  return pointer;
}

/// Moves a struct out of its capsule: the source counts as released then.
template <typename T>
T taken(T* source) {
  T copy = *source;
  source->release = nullptr;
  return copy;
}

template <typename Offset>
std::string_view text_at(const ArrowArray& array, int64_t i) {
  const auto* offsets = static_cast<const Offset*>(array.buffers[1]);
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  return {bytes + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
}

/// A view of 16 bytes: length, then the text itself (up to 12 bytes) or a prefix, the number of a
/// buffer and an offset into it.
std::string_view view_at(const ArrowArray& array, int64_t i) {
  const char* view = static_cast<const char*>(array.buffers[1]) + 16 * i;
  int32_t length = 0;
  std::memcpy(&length, view, sizeof(length));
  if (length <= 12) return {view + 4, static_cast<size_t>(length)};
  int32_t buffer = 0;
  int32_t offset = 0;
  std::memcpy(&buffer, view + 8, sizeof(buffer));
  std::memcpy(&offset, view + 12, sizeof(offset));
  return {static_cast<const char*>(array.buffers[2 + buffer]) + offset,
          static_cast<size_t>(length)};
}

/// A stream that is released when done with.
struct Stream {
  ArrowArrayStream value;
  ~Stream() {
    if (value.release != nullptr) value.release(&value);
  }
};
struct Schema {
  ArrowSchema value{};
  ~Schema() {
    if (value.release != nullptr) value.release(&value);
  }
};

}  // namespace

void Texts::Release::operator()(ArrowArray* array) const {
  if (array->release != nullptr) array->release(array);
  delete array;
}

Texts::Texts(const nb::object& texts) {
  if (PyList_Check(texts.ptr()) || PyTuple_Check(texts.ptr())) {
    take_sequence(texts);
  } else if (nb::hasattr(texts, "__arrow_c_array__")) {
    take_array(texts);
  } else if (nb::hasattr(texts, "__arrow_c_stream__")) {
    take_stream(texts);
  } else {
    PyErr_Format(PyExc_TypeError, "texts must be a str or an iterable of str, not %s",
                 nb::cast<nb::str>(nb::handle(texts.type()).attr("__name__")).c_str());
    throw nb::python_error();
  }
}

void Texts::take_sequence(const nb::object& texts) {
  const nb::tuple held(texts);
  held_ = held;
  views_.reserve(held.size());
  for (size_t i = 0; i < held.size(); ++i) {
    const nb::handle text = held[i];
    if (!PyUnicode_Check(text.ptr()))
      wrong("text %zu must be a str, not %s", i,
            nb::cast<nb::str>(text.type().attr("__name__")).c_str());
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) throw nb::python_error();
    views_.emplace_back(data, static_cast<size_t>(size));
  }
}

void Texts::take_array(const nb::object& texts) {
  const nb::tuple capsules(texts.attr("__arrow_c_array__")());
  auto* schema = capsule_pointer<ArrowSchema>(capsules[0], "arrow_schema");
  auto* array = capsule_pointer<ArrowArray>(capsules[1], "arrow_array");
  add_array(*schema, std::unique_ptr<ArrowArray, Release>(new ArrowArray(taken(array))));
}

void Texts::take_stream(const nb::object& texts) {
  const nb::object capsule = texts.attr("__arrow_c_stream__")();
  Stream stream{taken(capsule_pointer<ArrowArrayStream>(capsule, "arrow_array_stream"))};
  Schema schema;
  const auto fail = [&] {
    const char* reason = stream.value.get_last_error(&stream.value);
    PyErr_Format(PyExc_ValueError, "the Arrow stream of texts failed: %s",
                 reason != nullptr ? reason : "unknown reason");
    throw nb::python_error();
  };
  if (stream.value.get_schema(&stream.value, &schema.value) != 0) fail();
  while (true) {
    std::unique_ptr<ArrowArray, Release> array(new ArrowArray{});
    if (stream.value.get_next(&stream.value, array.get()) != 0) fail();
    if (array->release == nullptr) return;  // the end
    add_array(schema.value, std::move(array));
  }
}

void Texts::add_array(const ArrowSchema& schema, std::unique_ptr<ArrowArray, Release> array) {
  const std::string_view format = schema.format;
  const bool known =
      schema.dictionary == nullptr && (format == "u" || format == "U" || format == "vu");
  if (!known) {
    PyErr_Format(PyExc_TypeError, "texts must be an Arrow array of strings, not of format \"%s\"",
                 schema.format);
    throw nb::python_error();
  }
  const auto* valid = static_cast<const uint8_t*>(array->buffers[0]);
  for (int64_t i = array->offset; i < array->offset + array->length; ++i) {
    const bool present = valid == nullptr || (valid[i / 8] >> (i % 8) & 1) != 0;
    if (!present) wrong("text %zu must be a str, not %s", views_.size(), "null");
    views_.push_back(format == "u"   ? text_at<int32_t>(*array, i)
                     : format == "U" ? text_at<int64_t>(*array, i)
                                     : view_at(*array, i));
  }
  arrays_.push_back(std::move(array));
}

}  // namespace embedforge::python
