#include "benchmark/engines.h"

#include <algorithm>
#include <string_view>

#include "benchmark/model_files.h"
#include "benchmark/peer_worker.h"
#include "config/model_config.h"
#include "embedforge/embedder.h"
#include "embedforge/error.h"
#include "hub/hub.h"
#include "kernels/select.h"
#include "quantize/default_texts.h"

namespace embedforge::benchmarking {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Peer {
  const char* name;
  bool prepares;  // makes a file of its own first
  bool weights;   // reads the checkpoint
};
constexpr Peer kPeers[] = {
    {"torch", false, true},     {"onnxruntime", false, false},  {"onnxruntime:int8", true, false},
    {"openvino", false, false}, {"openvino:int8", true, false}, {"ctranslate2", true, true}};

bool asked_for(const std::vector<std::string>& against, std::string_view name) {
  return std::any_of(against.begin(), against.end(), [name](const std::string& wanted) {
    return name == wanted || name.starts_with(wanted + ":");
  });
}

void check_names(const std::vector<std::string>& against) {
  const std::vector<std::string> known = peer_names();
  for (const std::string& name : against) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string all;
    for (const std::string& each : known) all += (all.empty() ? "" : ", ") + each;
    throw_usage("--against " + name + ": is none of " + all);
  }
}

/// The folder of the checkpoint, or "".
std::string weights_folder(const EngineRequest& request) {
  const std::string& model = request.checkpoint.empty() ? request.model : request.checkpoint;
  try {
    const fs::path folder = resolve_model(model, PullWhat::kWeights).folder;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".safetensors") || name.starts_with("pytorch_model")) return folder;
    }
  } catch (const Error&) {
    if (!request.checkpoint.empty()) throw;
  }
  return "";
}

/// What the peers' side can do itself: "mean" or "cls"; "" for anything else.
std::string simple_pooling(const ModelConfig& config) {
  if (!config.head.empty() || config.pooling.size() != 1) return "";
  if (config.pooling.front() == Pooling::kMean) return "mean";
  return config.pooling.front() == Pooling::kCls ? "cls" : "";
}

json peer_start(const EngineRequest& request, const ModelFiles& files, const ModelConfig& config) {
  json texts = json::array();
  for (const std::string_view text : quantization::default_texts()) texts.push_back(text);
  return {{"checkpoint", weights_folder(request)},
          {"onnx", files.float32.string()},
          {"fused", files.fused.string()},
          {"work", files.work.string()},
          {"threads", request.threads},
          {"max_length", config.max_length > 0 ? config.max_length : 512},
          {"pooling", simple_pooling(config)},
          {"lower", config.lower_case},
          {"normalize", config.normalize},
          {"calibration", texts}};
}

Engine peer_engine(const Peer& peer, const EngineRequest& request, const fs::path& work,
                   json start) {
  Engine out{.name = peer.name, .prepares = peer.prepares};
  if (peer.weights && start["checkpoint"].get<std::string>().empty()) {
    out.missing = request.model + " has no weights; name its checkpoint with --checkpoint";
  } else if (start["pooling"].get<std::string>().empty() &&
             std::string_view(peer.name) != "torch") {
    out.missing = "only mean and first-token pooling without further layers is measured there";
  }
  start["engine"] = peer.name;
  std::string log = peer.name;
  std::replace(log.begin(), log.end(), ':', '_');
  out.process = {{request.python, "-c", kPeerWorker},
                 {{"TOKENIZERS_PARALLELISM", "false"}, {"HF_HUB_OFFLINE", "1"}},
                 work / (log + ".log")};
  out.start = std::move(start);
  return out;
}

Engine native_engine(const std::string& name, const fs::path& onnx, Compute precision,
                     const EngineRequest& request) {
  return {.name = name,
          .process = {{"/proc/self/exe", "bench-worker"},
                      {},
                      onnx.parent_path().parent_path().parent_path() / "native.log"},
          .start = {{"onnx", onnx.string()},
                    {"threads", request.threads},
                    {"precision", static_cast<int>(precision)}}};
}

}  // namespace

std::vector<std::string> peer_names() {
  std::vector<std::string> out;
  for (const Peer& peer : kPeers) out.emplace_back(peer.name);
  return out;
}

std::vector<Engine> make_engines(const EngineRequest& request,
                                 const std::function<void(const std::string&)>& progress) {
  check_names(request.against);
  const ModelFiles files = make_model_files(request.model, progress);
  const ModelConfig config = read_model_config(files.folder);
  std::vector<Engine> out;
  const json start = peer_start(request, files, config);
  for (const Peer& peer : kPeers) {
    if (asked_for(request.against, peer.name))
      out.push_back(peer_engine(peer, request, files.work, start));
  }
  out.push_back(native_engine("native", files.float32, Compute::kAuto, request));
  out.push_back(native_engine("native:bf16", files.float32, Compute::kBfloat16, request));
  if (kernels::best_table().bf16.run == nullptr) {
    out.back().missing =
        std::string("the kernels ") + kernels::best_table().name + " have no bfloat16";
  }
  out.push_back(native_engine("native:int8", files.int8, Compute::kAuto, request));
  if (files.int8.empty()) out.back().missing = files.int8_reason;
  return out;
}

}  // namespace embedforge::benchmarking
