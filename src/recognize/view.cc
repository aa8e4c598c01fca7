#include "recognize/view.h"

#include <algorithm>

namespace embedforge::recognize {
namespace {

using Kind = Atom::Kind;

/// Neighbouring column atoms that together are one run become one.
Axis merged(const Axis& axis) {
  Axis out;
  for (const Atom& atom : axis) {
    if (atom.kind == Kind::kColumn && atom.size == 1) continue;
    if (!out.empty() && atom.kind == Kind::kColumn && out.back().kind == Kind::kColumn &&
        out.back().stride == atom.stride * atom.size) {
      out.back() = {Kind::kColumn, out.back().size * atom.size, atom.stride};
    } else {
      out.push_back(atom);
    }
  }
  return out;
}

/// One size as columns * batch^b * sequence^s.
struct Monomial {
  int64_t columns = 1;
  int batch = 0;
  int sequence = 0;
};

std::optional<Monomial> decode(std::span<const std::vector<int64_t>> dims, size_t axis,
                               std::span<const Probe> probes) {
  for (int batch = 0; batch <= 1; ++batch) {
    for (int sequence = 0; sequence <= 2; ++sequence) {
      std::optional<int64_t> columns;
      bool fits = true;
      for (size_t p = 0; p < probes.size() && fits; ++p) {
        int64_t unit = batch == 1 ? probes[p].batch : 1;
        for (int i = 0; i < sequence; ++i) unit *= probes[p].sequence;
        fits = dims[p][axis] % unit == 0 && (!columns || *columns == dims[p][axis] / unit);
        columns = dims[p][axis] / unit;
      }
      if (fits && columns && *columns > 0) return Monomial{*columns, batch, sequence};
    }
  }
  return std::nullopt;
}

std::vector<Axis> without_ones_in_front(const std::vector<Axis>& axes) {
  const auto first =
      std::find_if(axes.begin(), axes.end(), [](const Axis& axis) { return !axis.empty(); });
  return {first, axes.end()};
}

}  // namespace

Axis column_axis(int64_t size, int64_t stride) {
  if (size == 1) return {};
  return {{Kind::kColumn, size, stride}};
}
Axis batch_axis() { return {{Kind::kBatch, 1, 1}}; }
Axis sequence_axis() { return {{Kind::kSequence, 1, 1}}; }

View token_view(int64_t width) { return {{batch_axis(), sequence_axis(), column_axis(width)}, 0}; }
View sequence_view(int64_t width) { return {{batch_axis(), column_axis(width)}, 0}; }

std::vector<int64_t> dims_at(const View& view, const Probe& probe) {
  std::vector<int64_t> out;
  for (const Axis& axis : view.axes) {
    int64_t size = 1;
    for (const Atom& atom : axis) {
      const bool fixed = atom.kind == Kind::kColumn || atom.kind == Kind::kRow;
      size *= fixed ? atom.size : atom.kind == Kind::kBatch ? probe.batch : probe.sequence;
    }
    out.push_back(size);
  }
  return out;
}

std::optional<int64_t> column_size(const Axis& axis) {
  int64_t size = 1;
  for (const Atom& atom : axis) {
    if (atom.kind != Kind::kColumn) return std::nullopt;
    size *= atom.size;
  }
  return size;
}

std::optional<View> reshape(const View& view, std::span<const std::vector<int64_t>> dims,
                            std::span<const Probe> probes) {
  std::vector<Atom> atoms;
  for (const Axis& axis : view.axes) atoms.insert(atoms.end(), axis.begin(), axis.end());
  std::reverse(atoms.begin(), atoms.end());  // the next one is at the back
  View out{{}, view.column};
  const size_t rank = dims.empty() ? 0 : dims[0].size();
  for (const std::vector<int64_t>& each : dims) {
    if (each.size() != rank) return std::nullopt;
  }
  for (size_t i = 0; i < rank; ++i) {
    auto wanted = decode(dims, i, probes);
    if (!wanted) return std::nullopt;
    Axis axis;
    while (wanted->columns > 1 || wanted->batch > 0 || wanted->sequence > 0) {
      if (atoms.empty()) return std::nullopt;
      Atom& next = atoms.back();
      if (next.kind == Kind::kBatch && wanted->batch > 0) {
        --wanted->batch;
      } else if ((next.kind == Kind::kSequence || next.kind == Kind::kKey) &&
                 wanted->sequence > 0) {
        --wanted->sequence;
      } else if (next.kind == Kind::kColumn && wanted->columns % next.size == 0) {
        wanted->columns /= next.size;
      } else if (next.kind == Kind::kColumn && wanted->columns > 1 &&
                 next.size % wanted->columns == 0) {
        const int64_t rest = next.size / wanted->columns;
        axis.push_back({Kind::kColumn, wanted->columns, next.stride * rest});
        next.size = rest;
        wanted->columns = 1;
        continue;
      } else {
        return std::nullopt;
      }
      axis.push_back(next);
      atoms.pop_back();
    }
    out.axes.push_back(merged(axis));
  }
  if (!atoms.empty()) return std::nullopt;
  return out;
}

View transpose(const View& view, std::span<const int64_t> order) {
  View out{{}, view.column};
  for (const int64_t from : order) out.axes.push_back(view.axes[static_cast<size_t>(from)]);
  return out;
}

std::optional<View> slice(const View& view, size_t axis, int64_t start, int64_t size) {
  const auto total = column_size(view.axes[axis]);
  if (!total || start < 0 || size < 0 || start + size > *total) return std::nullopt;
  if (start == 0 && size == *total) return view;
  if (view.axes[axis].size() != 1) return std::nullopt;
  const Atom atom = view.axes[axis][0];
  View out = view;
  out.column += start * atom.stride;
  out.axes[axis] = column_axis(size, atom.stride);
  return out;
}

std::optional<HeadView> head_view(const View& view) {
  HeadView out;
  bool seen = false;
  if (view.axes.empty() || view.axes.back().size() > 1) return std::nullopt;
  const auto size = column_size(view.axes.back());
  if (!size) return std::nullopt;
  out.size = *size;
  if (!view.axes.back().empty()) out.column_stride = view.axes.back()[0].stride;
  for (size_t i = 0; i + 1 < view.axes.size(); ++i) {
    for (const Atom& atom : view.axes[i]) {
      if (atom.kind == Kind::kKey || (atom.kind == Kind::kColumn && seen)) return std::nullopt;
      if (atom.kind != Kind::kColumn) continue;
      seen = true;
      out.heads = atom.size;
      out.stride = atom.stride;
    }
  }
  return out;
}

bool same_axes(const View& a, const View& b) {
  return without_ones_in_front(a.axes) == without_ones_in_front(b.axes);
}

bool same_elements(const View& a, const View& b) { return a.column == b.column && same_axes(a, b); }

bool is_row_major(const View& view, int64_t width, bool* of_tokens) {
  if (view.column != 0 || view.axes.empty() || view.axes.back() != column_axis(width)) return false;
  Axis rows;
  for (size_t i = 0; i + 1 < view.axes.size(); ++i) {
    rows.insert(rows.end(), view.axes[i].begin(), view.axes[i].end());
  }
  const bool tokens =
      rows.size() == 2 && rows[0].kind == Kind::kBatch && rows[1].kind == Kind::kSequence;
  const bool sequences = rows.size() == 1 && rows[0].kind == Kind::kBatch;
  if (of_tokens != nullptr) *of_tokens = tokens;
  return tokens || sequences ||
         std::ranges::any_of(rows, [](const Atom& atom) { return atom.kind == Kind::kRow; });
}

}  // namespace embedforge::recognize
