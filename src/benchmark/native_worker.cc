#include "benchmark/native_worker.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "embedforge/embedder.h"
#include "embedforge/error.h"
#include "embedforge/version.h"

namespace embedforge::benchmarking {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

void say(const json& line, const Matrix* vectors = nullptr) {
  const std::string text = line.dump() + '\n';
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (vectors != nullptr)
    std::fwrite(vectors->values.data(), sizeof(float), vectors->values.size(), stdout);
  std::fflush(stdout);
}

Embedder load(const json& start) {
  EmbedderOptions options;
  options.threads = start.at("threads").get<int>();
  options.precision = static_cast<Precision>(start.at("precision").get<int>());
  return Embedder::load(start.at("onnx").get<std::string>(), options);
}

/// The weights beside the file count, too.
uint64_t bytes_of(const std::filesystem::path& onnx) {
  std::error_code none;
  uint64_t bytes = std::filesystem::file_size(onnx, none);
  for (const char* suffix : {".data", "_data"}) {
    const std::filesystem::path data = onnx.string() + suffix;
    if (std::filesystem::exists(data, none)) bytes += std::filesystem::file_size(data, none);
  }
  return bytes;
}

void serve() {
  std::string line;
  if (!std::getline(std::cin, line)) return;
  const Embedder embedder = load(json::parse(line));
  say({{"version", std::string("embedforge ") + kVersion},
       {"bytes", bytes_of(embedder.model_path())}});
  std::map<std::string, std::vector<std::string>> workloads;
  while (std::getline(std::cin, line)) {
    const json request = json::parse(line);
    if (request.contains("add")) {
      workloads[request["add"].get<std::string>()] =
          request.at("texts").get<std::vector<std::string>>();
      say(json::object());
    } else if (request.contains("choose")) {
      say({{"chosen", json::object()}});  // there is nothing to set
    } else {
      const std::vector<std::string>& all = workloads.at(request.at("run").get<std::string>());
      const auto parts = request.at("parts").get<size_t>();
      std::vector<std::string> texts;
      for (size_t i = request.at("part").get<size_t>(); i < all.size(); i += parts)
        texts.push_back(all[i]);
      std::vector<double> seconds;
      Matrix vectors;
      for (int i = 0; i < request.at("repeat").get<int>(); ++i) {
        const Clock::time_point begin = Clock::now();
        vectors = embedder.encode(texts);
        seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
      }
      json answer = {{"seconds", seconds}};
      if (!request.at("vectors").get<bool>()) {
        say(answer);
        continue;
      }
      answer["rows"] = vectors.rows;
      answer["columns"] = vectors.columns;
      say(answer, &vectors);
    }
  }
}

}  // namespace

void run_native_worker() {
  try {
    serve();
  } catch (const Error& error) {
    say({{"failed", error.what()}});
  }
}

}  // namespace embedforge::benchmarking
