// Any bytes: a graph or an Error, in bounded time and memory. What reads is printed, verified,
// written and raised too, and optimized, which must not give a graph that isn't valid.
#include <cstdint>
#include <memory>
#include <vector>

#include "embedforge/error.h"
#include "graph/print.h"
#include "graph/read_onnx.h"
#include "graph/write_messages.h"
#include "passes/pipeline.h"
#include "plan/raise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Memory aligned as a mapped file is.
  auto memory = std::make_shared<std::vector<uint64_t>>(size / 8 + 1);
  auto* bytes = reinterpret_cast<uint8_t*>(memory->data());
  for (size_t i = 0; i < size; ++i) bytes[i] = data[i];
  const auto view = std::as_bytes(std::span<const uint64_t>(*memory)).first(size);
  try {
    const embedforge::Graph graph = embedforge::parse_onnx(view, memory, "fuzz");
    (void)embedforge::print(graph);
    (void)embedforge::graph_message_without_initializers(graph);
    embedforge::Graph optimized = graph;
    embedforge::optimize(optimized, {embedforge::OptimizeLevel::kAll}, "fuzz");
    (void)embedforge::raise(graph);
  } catch (const embedforge::Error& error) {
    if (error.code() == embedforge::ErrorCode::kBug) throw;
  }
  return 0;
}
