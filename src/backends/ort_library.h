// Takes: where a libonnxruntime may be. Gives: it, loaded, with its functions. Never: unloads it
// (its threads may still run), or links to it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backends/ort_api.h"

namespace embedforge::ort {

struct Library {
  std::string path;
  std::string version;  // "1.32.0"
  Api api{};
  Env* env = nullptr;

  /// "CPUExecutionProvider" and the others that it was built with.
  std::vector<std::string> providers() const;
};

/// Errors: the message of a status, which is released; `what` stands before it. kNotSupported when
/// ONNX Runtime lacks something, else kBadInput.
void check(const Api& api, Status* status, const std::string& what);

/// Loads the first that is found (see OnnxRuntimeOptions::library), once a process and path.
/// Errors: kNotSupported, saying where was looked and how to get one; or that it can't be loaded.
const Library& load_library(const std::string& wanted);

/// A pointer that releases by one of the library's functions.
template <typename T>
class Handle {
 public:
  explicit Handle(void (*release)(T*)) : release_(release) {}
  Handle(Handle&& other) noexcept
      : release_(other.release_), pointer_(std::exchange(other.pointer_, nullptr)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (pointer_ != nullptr) release_(pointer_);
  }
  T* get() const { return pointer_; }
  T** out() { return &pointer_; }

 private:
  void (*release_)(T*);
  T* pointer_ = nullptr;
};

}  // namespace embedforge::ort
