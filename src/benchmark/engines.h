// Takes: a model and the names of engines. Gives: how each of them is started, with the files that
// it needs. Never: measures.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "benchmark/measure.h"

namespace embedforge::benchmarking {

struct EngineRequest {
  std::string model;                 // hub id, folder or .onnx file
  std::string checkpoint;            // whose weights PyTorch reads; "": the model's
  std::vector<std::string> against;  // peers: "torch"; "openvino" is openvino and openvino:int8
  std::string python;                // the interpreter that has the peers' packages
  int threads = 0;
};

/// Every name that EngineRequest::against may have.
std::vector<std::string> peer_names();

/// The peers that were asked for, PyTorch first, then the native engine in float32, bfloat16 and
/// int8. Makes what is missing of the model's files (see model_files.h). Errors: kUsage for an
/// unknown peer, and those of convert(), optimize() and quantize().
std::vector<Engine> make_engines(const EngineRequest& request,
                                 const std::function<void(const std::string&)>& progress);

}  // namespace embedforge::benchmarking
