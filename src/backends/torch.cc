// The backend of sentence-transformers: a Python process (python3 -m embedforge.torch_worker) that
// gets a JSON line and answers with one, followed by its floats.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "backends/backend.h"
#include "base/child_process.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

using nlohmann::json;

std::string python() {
  const char* named = std::getenv("EMBEDFORGE_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

[[noreturn]] void missing() {
  throw_not_supported(
      "backend torch: `" + python() +
      " -m embedforge.torch_worker` does not run; `pip install embedforge[torch]` for "
      "that Python, or name another one in EMBEDFORGE_PYTHON");
}

class Worker {
 public:
  Worker() {
    try {
      process_.emplace(ChildOptions{{python(), "-m", "embedforge.torch_worker"}, {}});
    } catch (const Error&) {
      missing();
    }
  }

  /// Sends a line, and gives the line that comes back. Errors: those that the process reports.
  json ask(const json& request) {
    std::optional<std::string> answer;
    if (process_->write(request.dump() + '\n')) answer = process_->read_line();
    if (!answer) missing();
    json parsed = json::parse(*answer, nullptr, false);
    if (!parsed.is_object()) throw Error(ErrorCode::kBug, "the torch worker answered with no JSON");
    if (parsed.contains("not_supported"))
      throw_not_supported(parsed["not_supported"].get<std::string>());
    if (parsed.contains("bad_input")) throw_bad_input(parsed["bad_input"].get<std::string>());
    return parsed;
  }

  void receive(void* data, size_t size) {
    if (!process_->read(data, size)) missing();
  }

 private:
  std::optional<ChildProcess> process_;
};

class TorchBackend : public Backend {
 public:
  TorchBackend(const std::string& model, const std::string& device, int max_length) {
    worker_.ask({{"model", model}, {"device", device}, {"max_length", max_length}});
  }

  Matrix embed(const TextBatch& batch) const override {
    json request = {{"prompt", batch.prompt},
                    {"prompt_name", batch.prompt_name},
                    {"input_type", batch.input_type},
                    {"batch_size", batch.batch_size == 0 ? 32 : batch.batch_size},
                    {"texts", json::array()}};
    for (const std::string_view text : batch.texts) request["texts"].push_back(text);
    const std::lock_guard lock(mutex_);
    const json answer = ask(request, batch.first);
    Matrix out{answer.at("rows").get<size_t>(), answer.at("columns").get<size_t>(), {}};
    out.values.resize(out.rows * out.columns);
    worker_.receive(out.values.data(), out.values.size() * sizeof(float));
    ++requests_;
    tokens_ += answer.at("tokens").get<uint64_t>();
    return out;
  }
  uint64_t tokens_used() const override { return tokens_; }
  uint64_t requests_made() const override { return requests_; }

 private:
  json ask(const json& request, size_t first) const {
    try {
      return worker_.ask(request);
    } catch (const json::type_error&) {
      throw_bad_input("text " + std::to_string(first) + " or one after it is not valid UTF-8");
    }
  }

  mutable std::mutex mutex_;
  mutable Worker worker_;
  mutable std::atomic<uint64_t> tokens_ = 0;
  mutable std::atomic<uint64_t> requests_ = 0;
};

}  // namespace

std::unique_ptr<Backend> open_torch(const std::string& model, const std::string& device,
                                    int max_length) {
  return std::make_unique<TorchBackend>(model, device, max_length);
}

}  // namespace embedforge
