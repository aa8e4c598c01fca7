// Takes: a graph. Gives: what its values are (recognize/), and which value has what another is made
// of. Never: takes a value for another of different numbers.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "passes/editor.h"
#include "passes/shapes.h"
#include "recognize/form.h"
#include "recognize/probe.h"

namespace embedforge::passes {

class Recognized {
 public:
  /// The editor's graph as it is now; values that it gets later are unknown.
  explicit Recognized(const Editor& editor);

  const Shapes& shapes() const { return shapes_; }
  /// nullptr for a value that is no view of an expression, or isn't known for the probes.
  const recognize::Viewed* viewed(const std::string& value) const;
  const recognize::Known* known(const std::string& value) const;
  /// The expression that the value is a view of, when it is of that kind.
  template <typename T>
  const T* get(const std::string& value) const {
    const recognize::Viewed* view = viewed(value);
    return view == nullptr ? nullptr : view->of->get<T>();
  }

  /// The first value that lays the expression out so; "" for none.
  std::string value_of(const recognize::Ref& of, const recognize::View& view) const;
  /// The same for [batch, sequence, all columns] in float32.
  std::string tokens_of(const recognize::Ref& of) const;
  /// The first value of the expression in any layout; "" for none.
  std::string first_of(const recognize::Ref& of) const;

  /// The graph's input that tells tokens (1) from padding (0); "" for none or several.
  const std::string& mask_input() const { return mask_input_; }
  const std::vector<recognize::Probe>& probes() const { return probes_; }

 private:
  std::string mask_input_;
  Shapes shapes_;
  std::vector<recognize::Probe> probes_;
  std::map<std::string, recognize::Form> forms_;
  std::unordered_map<const recognize::Expression*, Names> values_;  // in the order of the nodes
};

/// x and bias, a constant [width], of value = x + bias; nullopt for other values.
std::optional<Names> biased(const Editor& editor, const Shapes& shapes, const std::string& value);

struct Gelu {
  std::string input;
  bool tanh = false;  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), else with erf
};
/// Of a value that is one, however it is written.
std::optional<Gelu> gelu_of(const Recognized& recognized, const std::string& value);

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis, in float32.
struct LayerNorm {
  std::string input;
  std::string gamma;  // constants [width]
  std::string beta;
  float epsilon = 0;
};
/// Of the last node of one, written out or one operator.
std::optional<LayerNorm> layer_norm_of(const Editor& editor, const Recognized& recognized,
                                       const Node& node);

}  // namespace embedforge::passes
