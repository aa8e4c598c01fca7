// What dialects may know of the server: which models there are and how it is set.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "embedforge/embedder.h"
#include "tokenize/tokenizer.h"

namespace embedforge::serve {

enum class ModelKind { kEmbedding, kReranker, kClassifier };

struct ModelEntry {
  std::string id;                    // as it was given to `serve`: hub id, folder or file
  std::vector<std::string> aliases;  // other names, first choice first
  ModelKind kind = ModelKind::kEmbedding;
  EmbedderInfo info;                // dimension: of vectors after the folder's own cut
  std::string architecture;         // config.json model_type
  std::string compute;              // "float32", "bf16" or "int8"
  std::string revision;             // the hub's commit; "" where there is none
  uint64_t bytes = 0;               // of the .onnx file and its external data
  uint64_t parameters = 0;          // 0: not known
  int64_t modified = 0;             // of the file, Unix seconds
  int64_t loaded = 0;               // Unix seconds; 0: not in memory now
  std::vector<std::string> labels;  // of a classifier or reranker, by index
  int32_t vocabulary = 0;           // largest id + 1
  /// The special tokens that stand first and last in this model's sequences; -1: none.
  int32_t first_id = -1, last_id = -1;
};

/// As --openai-token-ids says.
enum class TokenIds { kAuto, kModel, kReject, kTable };

struct Settings {
  size_t max_client_batch_size = 2048;
  size_t max_concurrent_requests = 512;
  size_t max_batch_tokens = 16384;
  size_t payload_limit = 8'000'000;
  size_t tokenization_workers = 1;
  bool auto_truncate = true;
  std::string default_prompt;       // --default-prompt; wins over the model's
  std::string default_prompt_name;  // --default-prompt-name
  TokenIds token_ids = TokenIds::kAuto;
  std::shared_ptr<const std::map<int32_t, std::string>> token_table;  // of kTable: id -> bytes
  std::string served_model_name;  // --served-model-name; "": the id
};

/// A snapshot; cheap to make. Thread-safe.
class Catalog {
 public:
  virtual ~Catalog() = default;
  virtual std::vector<std::shared_ptr<const ModelEntry>> models() const = 0;
  /// The model of that name: its id, the id's last part, an alias, each also with ":latest".
  /// "": the first model of that kind. Errors: Failure kNotFound with the names that there are.
  virtual std::shared_ptr<const ModelEntry> find(std::string_view name, ModelKind kind) const = 0;
  virtual const Settings& settings() const = 0;
};

}  // namespace embedforge::serve
