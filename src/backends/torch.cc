// The backend of sentence-transformers: a Python process (python3 -m embedforge.torch_worker) that
// gets a JSON line and answers with one, followed by its floats.
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

std::string python_of(const EmbedderOptions& options) {
  if (!options.python.empty()) return options.python;
  const char* named = std::getenv("EMBEDFORGE_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

class Worker {
 public:
  explicit Worker(std::string python) : python_(std::move(python)) {
    try {
      process_.emplace(ChildOptions{{python_, "-m", "embedforge.torch_worker"}, {}});
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
  [[noreturn]] void missing() const {
    throw_not_supported(
        "backend torch: `" + python_ +
        " -m embedforge.torch_worker` does not run; `pip install embedforge[torch]` for "
        "that Python, or name another one in EMBEDFORGE_PYTHON");
  }

  std::string python_;
  std::optional<ChildProcess> process_;
};

class TorchBackend : public TextBackend {
 public:
  TorchBackend(const std::string& model, const EmbedderOptions& options)
      : worker_(python_of(options)) {
    const bool gpu = options.onnxruntime.device != Device::kCpu;
    const json said = worker_.ask(
        {{"model", model}, {"device", gpu ? "cuda" : "cpu"}, {"max_length", options.max_length}});
    info_.backend = "torch";
    info_.dimension = said.at("dimension").get<size_t>();
    info_.max_length = said.at("max_length").get<size_t>();
    info_.prompts = said.at("prompts").get<std::map<std::string, std::string>>();
    info_.default_prompt_name = said.at("default_prompt_name").get<std::string>();
  }

  Matrix embed(const TextBatch& batch) const override {
    json request = {{"prompt", batch.prompt},
                    {"batch_size", batch.batch_size == 0 ? 32 : batch.batch_size},
                    {"texts", json::array()}};
    for (const std::string_view text : batch.texts) request["texts"].push_back(text);
    const std::lock_guard lock(mutex_);
    const json answer = ask(request, batch.first);
    Matrix out{answer.at("rows").get<size_t>(), answer.at("columns").get<size_t>(), {}};
    out.values.resize(out.rows * out.columns);
    worker_.receive(out.values.data(), out.values.size() * sizeof(float));
    count(1, answer.at("tokens").get<uint64_t>());
    return out;
  }
  EmbedderInfo info() const override { return info_; }

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
  EmbedderInfo info_;
};

}  // namespace

std::unique_ptr<TextBackend> open_torch(const std::string& model, const EmbedderOptions& options) {
  return std::make_unique<TorchBackend>(model, options);
}

}  // namespace embedforge
