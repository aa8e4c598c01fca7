// Time from opening a converted model to its first vector, each round in a process of its own, and
// what the parts of it take. Packed weights are cached by a first round that doesn't count.
//
//   load_time MODEL_DIR [--file F] [--rounds N]
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "embed/text_model.h"
#include "embedforge/embedder.h"
#include "engine/engine.h"
#include "graph/read_onnx.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

constexpr std::array kParts = {"load",
                               "first vector",
                               "both",
                               "of the load: tokenizer",
                               "  graph",
                               "  program",
                               "  engine, packed weights"};
using Milliseconds = std::array<double, kParts.size()>;

class Watch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - last_).count();
    last_ = now;
    return ms;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// The whole, as a user has it.
void measure_whole(const std::string& model, const EmbedderOptions& options, Milliseconds& out) {
  const std::vector<std::string> text = {"The time from a model's folder to its first vector."};
  Watch watch;
  const Embedder embedder = Embedder::load(model, options);
  out[0] = watch.lap();
  const Matrix vectors = embedder.encode(text);
  out[1] = watch.lap();
  out[2] = out[0] + out[1];
  if (vectors.rows != 1) std::abort();
}

/// The steps of open_native().
void measure_parts(const std::string& name, const EmbedderOptions& options, Milliseconds& out) {
  Watch watch;
  const TextModel model = TextModel::load(name, options);
  out[3] = watch.lap();
  const Graph graph = read_onnx(model.onnx);
  out[4] = watch.lap();
  const Program program = raise(graph);
  out[5] = watch.lap();
  const Engine engine(program, {.model = model.onnx});
  out[6] = watch.lap();
}

/// Runs in a process of its own. False: it failed, and said why.
template <typename Run>
bool apart(Run run, Milliseconds& out) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return false;
  const pid_t child = fork();
  if (child == 0) {
    try {
      run(out);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "load_time: %s\n", error.what());
      _exit(1);
    }
    _exit(write(ends[1], out.data(), sizeof out) == sizeof out ? 0 : 1);
  }
  close(ends[1]);
  const bool whole = child > 0 && read(ends[0], out.data(), sizeof out) == sizeof out;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return whole;
}

int run(const std::string& model, const EmbedderOptions& options, int rounds) {
  std::array<std::vector<double>, kParts.size()> seen;
  for (int round = 0; round <= rounds; ++round) {
    Milliseconds ms{};
    if (!apart([&](Milliseconds& out) { measure_whole(model, options, out); }, ms) ||
        !apart([&](Milliseconds& out) { measure_parts(model, options, out); }, ms)) {
      return 1;
    }
    for (size_t i = 0; round > 0 && i < ms.size(); ++i) seen[i].push_back(ms[i]);
  }
  std::printf("%-28s %8s %8s   ms, %d processes\n", "", "median", "fastest", rounds);
  for (size_t i = 0; i < kParts.size(); ++i) {
    std::sort(seen[i].begin(), seen[i].end());
    std::printf("%-28s %8.2f %8.2f\n", kParts[i], seen[i][seen[i].size() / 2], seen[i][0]);
  }
  return 0;
}

}  // namespace
}  // namespace embedforge

int main(int argc, char** argv) {
  std::string model;
  embedforge::EmbedderOptions options;
  int rounds = 20;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--file" && i + 1 < argc) {
      options.file = argv[++i];
    } else if (argument == "--rounds" && i + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++i]));
    } else {
      model = argument;
    }
  }
  if (model.empty()) {
    std::fprintf(stderr, "usage: load_time MODEL_DIR [--file F] [--rounds N]\n");
    return 2;
  }
  return embedforge::run(model, options, rounds);
}
