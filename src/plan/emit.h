// Takes: expressions. Gives: the steps that compute them, each expression once. Never: looks at
// ONNX nodes.
#pragma once

#include <map>
#include <string>

#include "plan/program.h"
#include "recognize/form.h"

namespace embedforge::raising {

using namespace recognize;

class Emitter {
 public:
  /// Appends the steps that `expression` needs. Error: kNotSupported when no step computes a part
  /// of it.
  ValueId emit(const Ref& expression);
  Program& program() { return program_; }
  /// The longest text for which the probes show what attention does; 0: any.
  int64_t shown_length() const { return shown_length_; }

 private:
  template <typename T>
  ValueId step(const Expression& of, const T& part);
  ValueId define(int64_t width);
  /// Three products of one input become one, with their columns side by side; q and k are
  /// normalized and turned there. Gives where q, k and v are.
  void emit_attention_inputs(const Context& context, AttentionStep& out);

  Program program_;
  int64_t shown_length_ = 0;
  std::map<const Expression*, ValueId> values_;
};

/// The products' weights and biases side by side; nullopt when they don't go together.
std::optional<LinearStep> joined(const std::vector<const Linear*>& products);

}  // namespace embedforge::raising
