// Takes: a graph. Gives: what its values are for two choices of batch and length: types and shapes
// of all, contents of those that only shapes decide. Never: runs the model.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/shape_rules.h"
#include "passes/editor.h"

namespace embedforge::passes {

/// In an expected shape: the batch, the sequence, a size that is the same for every choice.
inline constexpr int64_t kBatch = -1;
inline constexpr int64_t kSequence = -2;

struct Choice {
  int64_t batch;
  int64_t sequence;
};

class Shapes {
 public:
  /// The editor's graph as it is now; values that it gets later are unknown.
  explicit Shapes(const Editor& editor);

  static constexpr size_t kCount = 2;
  const Choice& choice(size_t i) const { return choices_[i]; }
  /// The longest sequence that was tried, which the graph has positions for.
  int64_t longest() const { return choices_[1].sequence; }
  /// nullptr for what isn't known.
  const Shadow* at(size_t choice, const std::string& value) const;

  /// Type, and dimensions with kBatch and kSequence in place of those sizes; nullopt when a
  /// dimension is neither one of them nor fixed.
  std::optional<std::vector<int64_t>> shape(const std::string& value) const;
  bool is_float(const std::string& value) const;  // float32
  bool same_shape(const std::string& a, const std::string& b) const;

 private:
  using Values = std::map<std::string, Shadow>;
  void follow(size_t choice);
  bool knows_outputs() const;

  const Editor& editor_;
  std::array<Choice, kCount> choices_;
  std::array<Values, kCount> values_;
};

}  // namespace embedforge::passes
