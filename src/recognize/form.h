// Takes: nothing; these are the data that raise() keeps about each ONNX value while it walks a
// graph. Gives: a value as a constant, as something known for every probe, or as a view of an
// expression. Never: ONNX nodes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "embedforge/pooling.h"
#include "graph/graph.h"
#include "recognize/function.h"
#include "recognize/parts.h"
#include "recognize/weight.h"

namespace embedforge::recognize {

/// An initializer or something folded from initializers. Large ones stay as the file has them, with
/// what is to be done noted.
struct Constant {
  Tensor tensor;
  bool transposed = false;  // a matrix whose value is the transpose of `tensor`
  std::string name;         // of the initializer, for messages
  // Quantized when scales is not empty: real = scale * (q - zero_point), one for all or one for
  // each index along `axis` of `tensor`.
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  size_t axis = 0;

  std::vector<int64_t> dims() const;  // of the value
};

/// A value that depends on nothing but the integer inputs, for each probe: shapes, masks,
/// positions.
struct Known {
  std::vector<Tensor> at;
};

/// One factor of an axis. Picked have a size and a distance between neighbours in the expression's
/// row.
struct Atom {
  enum class Kind { kBatch, kSequence, kKey, kRow, kColumn };  // kRow: of a fixed size
  Kind kind = Kind::kColumn;
  int64_t size = 1;
  int64_t stride = 1;
  bool operator==(const Atom&) const = default;
};
using Axis = std::vector<Atom>;  // empty: an axis of size 1

/// How an ONNX tensor lays out an expression: each axis is a product of atoms, outermost first.
struct View {
  std::vector<Axis> axes;
  int64_t column = 0;  // where it starts in the expression's row
};

struct Expression;
using Ref = std::shared_ptr<const Expression>;

/// Picked of an expression.
struct Part {
  Ref of;
  int64_t column = 0;
};

struct Given {  // a value that is taken as it is: what made it isn't understood
  std::string name;
};
struct Embedding {  // one row a token: the sum of the tables' rows
  std::vector<EmbeddingTable> tables;
};
struct Linear {  // in * weight + bias
  Ref in;
  Weight weight;
  std::vector<float> bias;
};
struct Map {  // a scalar function of each element
  Ref in;
  Samples values;
};
struct Norm {
  Ref in;
  NormKind kind = NormKind::kLayerNorm;
  std::vector<float> gamma, beta;  // one for each column
  float epsilon = 0;
  int64_t group = 0;   // columns that are normalized by themselves (a head); 0: the whole row
  int64_t column = 0;  // of `in`, where the first group is
};
struct Sum {
  Ref a, b;
};
struct Gate {
  Part gate, up;
  Activation activation = Activation::kSilu;
};
struct Centered {  // in - mean of its row
  Ref in;
};
struct Stat {  // a function of one number a row
  enum class Kind { kMean, kVariance, kMeanSquare, kSumSquare, kSumMapped, kMin, kMax, kRange };
  Ref in;
  Kind kind = Kind::kMean;
  Samples values;
  int64_t group = 0;   // one number a head of that many columns; 0: one a row
  int64_t column = 0;  // of `in`, where the first head is
  Samples squares{};   // kSumMapped: the square of the function of `in` that is summed
};
/// Picked of heads, each a sum of columns of the same head of `in` times numbers that depend on
/// the position: a rotary embedding while it is recognized. A row has heads * columns.size()
/// columns.
struct Mix {
  struct Term {
    int64_t source = 0;           // column within the head
    std::vector<double> factors;  // by position, for those of the longest probe
  };
  Part in;  // where the first head starts
  int64_t heads = 1;
  int64_t stride = 0;  // between heads of `in`
  std::vector<std::vector<Term>> columns;
};
/// Heads side by side from in.column on, turned by position.
struct Rotated {
  Part in;
  int64_t heads = 0, head_size = 0;
  Rotary rotary;
  Ref written = nullptr;  // the Mix that it was written as; nullptr where it was one operator
};
/// What was added to scores, or decided which of them stay.
struct Masking {
  enum class Kind { kNothing, kPadding, kOther };
  std::string value;
  Kind kind = Kind::kOther;
  bool added = false;  // else it decided
  double low = 0;      // what was added to the scores of padding, or took their place
  double scale = 1;    // by which scores were multiplied afterwards
};
/// q k^T for each head. A row's columns are the heads.
struct Scores {
  Part q, k;
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  double scale = 1;
  bool masked = false;  // padding was taken out
  bool causal = false;
  int64_t window = -1;
  std::vector<float> relative_bias;  // as in AttentionStep
  int64_t bias_length = 0;  // relative_bias holds for texts of that many tokens; 0: for all
  std::vector<Masking> maskings = {};
};
struct Softmax {
  Scores scores;
};
struct NanTest {  // IsNaN of the softmax, which a guard replaces by 0
  Ref in;
};
struct Context {
  Scores scores;
  Part v;
};
struct Masked {  // rows of padding made 0 (fill 0) or very negative
  Ref in;
  bool low = false;
};
struct RowSum {  // over the tokens of a sequence, without padding
  Ref in;
};
struct Pool {
  Ref in;
  Pooling kind = Pooling::kMean;
  bool normalize = false;
};
struct Normalized {  // L2, of what layers after a pooling make
  Ref in;
};
/// The pieces of a quantized product.
struct Quantized {  // DynamicQuantizeLinear's first output
  Ref in;
  bool by_row = false;  // instead: 255 * (in - minimum) / range, rounded, with those of its own row
};
struct QuantScale {  // its second, times a factor for each column (or one)
  Ref in;
  std::vector<float> factors;
};
struct QuantZero {  // its third
  Ref in;
};
struct IntegerProduct {
  Ref in;
  Weight weight;
  bool by_row = false;
  bool whole = false;  // by_row: times the rows' ranges, still without its LowTerm
};
/// The pieces of a product whose activations are quantized row by row with standard operators; see
/// trace_row_quantized.cc.
struct Scaled {  // columns times constants
  Ref in;
  std::vector<float> factors;
};
struct Picked {  // some columns of in, in the order of the list
  Ref in;
  std::vector<int32_t> channels;
};
struct FromLow {  // in - its row's minimum
  Ref in;
};
struct UnitRow {  // the same, divided by the row's range
  Ref in;
};
struct LowTerm {  // the row's minimum times a constant for each column
  Ref in;
  std::vector<float> factors;
};
struct Rounded {  // through QuantizeLinear with a constant scale
  Ref in;
  ActivationQuant quant;
};

struct Expression {
  std::variant<Given, Embedding, Linear, Map, Norm, Sum, Gate, Centered, Stat, Scores, Softmax,
               NanTest, Context, Mix, Rotated, Masked, RowSum, Normalized, Pool, Quantized,
               QuantScale, QuantZero, IntegerProduct, Rounded, Scaled, Picked, FromLow, UnitRow,
               LowTerm>
      as;
  int64_t width = 0;
  int depth = 0;  // of the expressions below, bounded so that recursion is

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&as);
  }
};

template <typename... T>
bool is_any(const Ref& of) {
  return (std::holds_alternative<T>(of->as) || ...);
}

/// A tensor with one expression's values.
struct Viewed {
  Ref of;
  View view;
};

/// A quantized value that is used as a float: rounding is left out, since the engine keeps floats
/// between products.
Viewed without_rounding(const Viewed& value);

/// Why a value could not be understood. It becomes an error only when the encoder needs the value.
struct Unknown {
  std::string why;
  bool bad_input = false;
};

using Form = std::variant<Unknown, Constant, Known, Viewed>;

/// The identity of an element: an expression as a scalar function of another. Not a Map: the
/// identity function of itself.
struct MapOf {
  Ref in;
  Samples values;
};
MapOf as_map(const Ref& expression);
}  // namespace embedforge::recognize
