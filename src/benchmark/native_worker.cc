#include "benchmark/native_worker.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/model_folder.h"
#include "embedforge/embedder.h"
#include "embedforge/error.h"
#include "embedforge/version.h"

namespace embedforge::benchmarking {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr size_t kWarmTexts = 32;

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
  options.compute = static_cast<Compute>(start.at("precision").get<int>());
  return Embedder::load(start.at("onnx").get<std::string>(), options);
}

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void run(const Embedder& embedder, const json& request, const std::vector<std::string>& texts) {
  const std::vector<std::string> few(
      texts.end() - static_cast<ptrdiff_t>(std::min(texts.size(), kWarmTexts)), texts.end());
  const Clock::time_point start = Clock::now();
  while (since(start) < request.at("warm").get<double>()) embedder.encode(few);
  const auto least = request.at("seconds").get<double>();
  const auto most = request.at("calls").get<size_t>();
  std::vector<double> seconds;
  Matrix vectors;
  const Clock::time_point first = Clock::now();
  do {
    const Clock::time_point begin = Clock::now();
    vectors = embedder.encode(texts);
    seconds.push_back(since(begin));
  } while (since(first) < least && seconds.size() < most);
  json answer = {{"seconds", seconds}};
  if (!request.at("vectors").get<bool>()) {
    say(answer);
    return;
  }
  answer["rows"] = vectors.rows;
  answer["columns"] = vectors.columns;
  say(answer, &vectors);
}

void serve() {
  std::string line;
  if (!std::getline(std::cin, line)) return;
  const Embedder embedder = load(json::parse(line));
  say({{"version", std::string("embedforge ") + kVersion},
       {"bytes", onnx_bytes(embedder.model_path())}});
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
      run(embedder, request, workloads.at(request.at("run").get<std::string>()));
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
