// The backend of sentence-transformers: a Python process (python3 -m embedforge.torch_worker) that
// gets a JSON line and answers with one, followed by its floats.
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>

#include "backends/backend.h"
#include "embedforge/error.h"

extern char** environ;

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

/// The process, with a socket to its standard input and output.
class Worker {
 public:
  Worker() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw_not_supported(std::string("backend torch: no socket: ") + std::strerror(errno));
    socket_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    // What libraries print there isn't meant for this program's users.
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::string program = python();
    std::string dash_m = "-m";
    std::string module = "embedforge.torch_worker";
    std::array<char*, 4> arguments = {program.data(), dash_m.data(), module.data(), nullptr};
    const int failed =
        posix_spawnp(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed != 0) {
      process_ = -1;
      close(socket_);
      missing();
    }
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    close(socket_);  // it ends when its input does
    if (process_ > 0) waitpid(process_, nullptr, 0);
  }

  /// Sends a line, and gives the line that comes back. Errors: those that the process reports.
  json ask(const json& request) {
    const std::string line = request.dump() + '\n';
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t count = send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) missing();
      sent += static_cast<size_t>(count);
    }
    std::string answer;
    for (char c = 0; c != '\n';) {
      receive(&c, 1);
      answer += c;
    }
    json parsed = json::parse(answer, nullptr, false);
    if (!parsed.is_object()) throw Error(ErrorCode::kBug, "the torch worker answered with no JSON");
    if (parsed.contains("not_supported"))
      throw_not_supported(parsed["not_supported"].get<std::string>());
    if (parsed.contains("bad_input")) throw_bad_input(parsed["bad_input"].get<std::string>());
    return parsed;
  }

  void receive(void* data, size_t size) {
    auto* at = static_cast<char*>(data);
    while (size > 0) {
      const ssize_t count = recv(socket_, at, size, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) missing();
      at += count;
      size -= static_cast<size_t>(count);
    }
  }

 private:
  int socket_ = -1;
  pid_t process_ = -1;
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
