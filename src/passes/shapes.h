// Takes: a graph. Gives: what its values are for two choices of batch, length and padding: shapes
// of all, contents of those that only shapes and attention_mask decide. Never: runs the model.
//
// So a pass asks what a mask or a reshape does, rather than how an exporter happened to write it.
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

  /// The graph's [batch, sequence] input that tells tokens (1) from padding (0); "" for none.
  const std::string& mask_input() const { return mask_input_; }
  /// Its content: padding at the end, none, and between tokens.
  std::vector<int64_t> mask(size_t choice) const;

  /// The content that `to` has, in choice 0, when `from` has the elements 1, 2, 3 .. : where each
  /// of its elements comes from. Follows nodes that move or scale elements; `passes_through` are
  /// values that count as equal to another one.
  std::optional<std::vector<double>> origin(
      const std::string& from, const std::string& to,
      const std::map<std::string, std::string>& passes_through = {}) const;

 private:
  using Values = std::map<std::string, Shadow>;
  void follow(size_t choice);
  bool knows_outputs() const;

  const Editor& editor_;
  std::array<Choice, kCount> choices_;
  std::array<Values, kCount> values_;
  std::string mask_input_;
};

/// Operators that only move elements of their input 0.
bool moves_elements(const Node& node);

}  // namespace embedforge::passes
