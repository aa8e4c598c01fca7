// Rows of tables by token id, position and token type.
#include "graph/evaluate.h"
#include "graph/tensor.h"
#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

using Source = EmbeddingTable::Source;

bool is_table(const Constant& constant) {
  const DataType type = constant.tensor.type;
  return constant.tensor.dims.size() == 2 && !constant.transposed &&
         (is_float_type(type) || type == DataType::kInt8 || type == DataType::kUint8);
}

EmbeddingTable make_table(const Call& call, const Constant& constant, const IndexMeaning& meaning) {
  using Kind = IndexMeaning::Kind;
  EmbeddingTable out;
  out.rows = constant.tensor;
  if (out.rows.type == DataType::kDouble) {
    out.rows = Tensor::from_floats(out.rows.dims, to_floats(out.rows));
  }
  if (constant.scales.size() > 1 && constant.axis != 0) {
    out.rows = Tensor::from_floats(out.rows.dims, constant_floats(constant));
  } else {
    out.scales = constant.scales;
    out.zero_points = constant.zero_points;
  }
  switch (meaning.kind) {
    case Kind::kTokenId:
      out.source = Source::kTokenId;
      break;
    case Kind::kTokenType:
      out.source = Source::kTokenType;
      break;
    case Kind::kPosition:
      out.source = Source::kPosition;
      out.offset = meaning.offset;
      out.padding_id = meaning.padding_id;
      out.padding_row = meaning.padding_row;
      break;
    case Kind::kFixed: {  // the one row, as if every token were of type 0
      const int64_t rows = out.rows.dims[0];
      const int64_t width = out.rows.dims[1];
      const int64_t row = meaning.offset < 0 ? meaning.offset + rows : meaning.offset;
      if (row < 0 || row >= rows) call.refuse("takes a row outside of its table");
      const std::vector<float> values = constant_floats(constant);
      const auto first = values.begin() + static_cast<ptrdiff_t>(row * width);
      out = {};
      out.source = Source::kTokenType;
      out.rows = Tensor::from_floats({1, width}, std::vector<float>(first, first + width));
    }
  }
  return out;
}

Viewed embedding(const Call& call, EmbeddingTable table, const View& view) {
  const int64_t width = table.rows.dims[1];
  Embedding out;
  out.tables.push_back(std::move(table));
  return {make(call, std::move(out), width), view};
}

/// The axes of indices: of [batch, sequence], [1, sequence] or [sequence].
View index_view(const Call& call, const Known& indices, int64_t width) {
  const Probe& probe = call.probes()[0];
  View out;
  for (const int64_t size : indices.at[0].dims) {
    out.axes.push_back(size == probe.batch      ? batch_axis()
                       : size == probe.sequence ? sequence_axis()
                                                : Axis{});
  }
  out.axes.push_back(column_axis(width));
  return out;
}

}  // namespace

Forms op::gather(const Call& call) {
  if (call.viewed(0) != nullptr) return gather_columns(call);
  const Constant* table = call.constant(0);
  const Known* indices = call.known(1);
  if (table == nullptr || indices == nullptr || !is_table(*table)) return {};
  if (call.node().int_attribute("axis", 0) != 0) return {};
  const bool is_float = is_float_type(table->tensor.type) || !table->scales.empty();
  const auto meaning = index_meaning(*indices, call.probes());
  if (!meaning) return {};
  Viewed out = embedding(call, make_table(call, *table, *meaning),
                         index_view(call, *indices, table->tensor.dims[1]));
  if (!is_float && meaning->kind == IndexMeaning::Kind::kFixed) return {};
  return {out};
}

Forms slice_table(const Call& call) {
  const Constant* table = call.constant(0);
  const bool by_length = call.known(1) != nullptr || call.known(2) != nullptr;
  if (table == nullptr || !by_length || table->transposed) return {};
  if (!is_float_type(table->tensor.type) || table->tensor.dims.size() < 2) return {};
  // Which rows it takes is what it makes of the row numbers themselves.
  const std::vector<int64_t>& dims = table->tensor.dims;
  const size_t row_axis = dims.size() - 2;
  for (size_t i = 0; i < row_axis; ++i) {
    if (dims[i] != 1) return {};
  }
  std::vector<int64_t> rows(static_cast<size_t>(dims[row_axis]));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  std::vector<int64_t> row_dims = dims;
  row_dims.back() = 1;
  const Tensor numbers = Tensor::from_ints(row_dims, rows);
  Known taken;
  for (size_t p = 0; p < call.probes().size(); ++p) {
    std::vector<Tensor> tensors(call.input_count());
    std::vector<const Tensor*> inputs(call.input_count(), nullptr);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!call.has(i)) continue;
      if (call.known(i) != nullptr) tensors[i] = call.known(i)->at[p];
      if (call.constant(i) != nullptr && i > 0) tensors[i] = plain(*call.constant(i));
      inputs[i] = i == 0 ? &numbers : &tensors[i];
    }
    Tensor picked = evaluate(call.node(), inputs, call.setting().opset)[0];
    picked.dims.assign({1, picked.element_count()});
    taken.at.push_back(std::move(picked));
  }
  const auto meaning = index_meaning(taken, call.probes());
  if (!meaning || meaning->kind != IndexMeaning::Kind::kPosition) return {};
  Constant matrix = *table;
  matrix.tensor.dims = {dims[row_axis], dims.back()};
  Viewed out = embedding(call, make_table(call, matrix, *meaning), token_view(dims.back()));
  out.view.axes[0] = {};
  if (dims.size() == 2) out.view.axes.erase(out.view.axes.begin());
  return {out};
}

Viewed add_embeddings(const Call& call, const Viewed& a, const Viewed& b) {
  if (a.of->width != b.of->width) call.refuse("adds tables of different widths");
  Embedding out = *a.of->get<Embedding>();
  const auto& more = b.of->get<Embedding>()->tables;
  out.tables.insert(out.tables.end(), more.begin(), more.end());
  const bool a_wider = dims_at(a.view, call.probes()[0]).size() >= b.view.axes.size();
  View view = a_wider ? a.view : b.view;
  for (const Viewed* each : {&a, &b}) {
    if (same_axes(each->view, token_view(each->of->width))) view = each->view;
  }
  return Viewed{make(call, std::move(out), a.of->width), view};
}

EmbeddingTable table_of(const Call& call, const Constant& rows, const Known& indices) {
  const auto meaning = index_meaning(indices, call.probes());
  if (!meaning || !is_table(rows)) call.refuse("takes rows of a table by something unknown");
  return make_table(call, rows, *meaning);
}

}  // namespace embedforge::recognize
