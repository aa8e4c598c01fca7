// Takes: one sequence's token embeddings. Gives: its vector, by the steps of Program::head. Never:
// sees other sequences.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "plan/program.h"

namespace embedforge {

class Head {
 public:
  /// `hidden`: width of the token embeddings. Errors: kBadInput when widths don't follow each
  /// other; kBug for steps that don't begin with a pooling.
  Head(const std::vector<HeadStep>& steps, size_t hidden);

  size_t width() const { return width_; }  // of the vectors
  /// The pooling when there is one alone, whatever steps follow it.
  std::optional<Pooling> only_pooling() const;

  /// `rows`: [length, hidden]. Of them the first `skip` are left out; when nothing is left,
  /// poolings give zeros. Writes width() floats. Thread-safe.
  void apply(const float* rows, size_t length, size_t skip, float* out) const;

 private:
  struct Dense {
    size_t in = 0, out = 0;
    std::vector<float> weight;  // [in, out]: the inner loop is over outputs
    std::vector<float> bias;    // out values
    Activation activation = Activation::kNone;
  };
  using Layer = std::variant<Dense, NormStep, NormalizeStep>;
  static void run(const Dense& layer, std::vector<float>& x);
  static void run(const NormStep& layer, std::vector<float>& x);
  static void run(const NormalizeStep& layer, std::vector<float>& x);

  void add(const LinearStep& step);
  void add(const NormStep& step);
  void add(const NormalizeStep& step);
  void add(const PoolStep& step);
  std::vector<Pooling> poolings_;
  std::vector<Layer> layers_;
  size_t hidden_ = 0;
  size_t width_ = 0;
};

/// "mean"; "cls+mean" for a concatenation.
std::string pooling_names(const std::vector<HeadStep>& head);

/// Pools rows [skip, length) into `width` floats. Weights of kWeightedMean: 1 for the sequence's
/// first token, 2 for its second, and so on. Nothing left gives zeros.
void pool(Pooling pooling, const float* rows, size_t length, size_t skip, size_t width, float* out);

}  // namespace embedforge
