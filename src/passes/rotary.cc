#include "passes/rotary.h"

#include "graph/tensor.h"

namespace embedforge::passes {
namespace {

/// [.., sequence, .., D] with 1 elsewhere, one number a position in each column, and the second
/// half of the columns like the first. `rank` is that of what it is multiplied with.
bool is_table(const Shapes& shapes, const std::string& value, const Shadow& with,
              int64_t head_size) {
  const Shadow* table = shapes.at(0, value);
  if (table == nullptr || !table->content || table->dims.empty()) return false;
  const size_t rank = table->dims.size();
  if (rank > with.dims.size() || table->dims.back() != head_size) return false;
  const int64_t sequence = shapes.choice(0).sequence;
  size_t long_axes = 0;
  for (size_t i = 0; i + 1 < rank; ++i) {
    const int64_t dim = table->dims[i];
    const int64_t along = with.dims[with.dims.size() - rank + i];
    if (dim == 1) continue;
    if (dim != sequence || along != sequence) return false;
    ++long_axes;
  }
  if (long_axes != 1) return false;
  const std::vector<double> values = to_doubles(*table->content);
  const auto half = static_cast<size_t>(head_size / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i % (2 * half) < half && values[i] != values[i + half]) return false;
  }
  return true;
}

/// rotated[.., d] = -x[.., d + D/2] for d < D/2, else x[.., d - D/2]
bool is_rotated(const Shapes& shapes, const std::string& x, const std::string& rotated,
                int64_t head_size) {
  const auto origin = shapes.origin(x, rotated);
  if (!origin) return false;
  const int64_t half = head_size / 2;
  for (size_t i = 0; i < origin->size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const bool first = at % head_size < half;
    const int64_t expected = first ? -(at + half + 1) : at - half + 1;
    if ((*origin)[i] != static_cast<double>(expected)) return false;
  }
  return true;
}

}  // namespace

std::optional<Rotary> match_rotary(const Editor& editor, const Shapes& shapes,
                                   const std::string& value) {
  const Node* sum = editor.maker(value, "Add");
  if (sum == nullptr || !shapes.is_float(value)) return std::nullopt;
  const Node* terms[] = {editor.maker(sum->inputs[0], "Mul"), editor.maker(sum->inputs[1], "Mul")};
  if (terms[0] == nullptr || terms[1] == nullptr) return std::nullopt;
  for (size_t plain = 0; plain < 2; ++plain) {
    for (size_t order = 0; order < 4; ++order) {
      const Names& a = terms[plain]->inputs;
      const Names& b = terms[1 - plain]->inputs;
      const Rotary out{a[order % 2], a[1 - order % 2], b[1 - order / 2], 0};
      const std::string& rotated = b[order / 2];
      const Shadow* x = shapes.at(0, out.input);
      if (x == nullptr || x->dims.size() != 4 || x->content || x->dims.back() % 2 != 0) continue;
      if (!shapes.same_shape(out.input, value)) continue;
      const int64_t head_size = x->dims.back();
      if (!is_table(shapes, out.cos, *x, head_size) || !is_table(shapes, out.sin, *x, head_size) ||
          !is_rotated(shapes, out.input, rotated, head_size)) {
        continue;
      }
      return Rotary{out.input, out.cos, out.sin, head_size};
    }
  }
  return std::nullopt;
}

}  // namespace embedforge::passes
