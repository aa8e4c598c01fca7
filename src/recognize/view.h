// Takes: a View and a layout operator. Gives: the View after it, or nothing when it isn't one any
// more. Never: moves data.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "recognize/form.h"
#include "recognize/probe.h"

namespace embedforge::recognize {

Axis column_axis(int64_t size, int64_t stride = 1);
Axis batch_axis();
Axis sequence_axis();
/// [batch, sequence, width]
View token_view(int64_t width);
/// [batch, width]
View sequence_view(int64_t width);

std::vector<int64_t> dims_at(const View& view, const Probe& probe);
/// Elements along an axis made of column atoms only; nullopt for others.
std::optional<int64_t> column_size(const Axis& axis);

/// `dims`: the target for each probe.
std::optional<View> reshape(const View& view, std::span<const std::vector<int64_t>> dims,
                            std::span<const Probe> probes);
View transpose(const View& view, std::span<const int64_t> order);
/// `size` elements from `start` along an axis of columns.
std::optional<View> slice(const View& view, size_t axis, int64_t start, int64_t size);

/// The heads of a view [batch, (heads,) sequence, columns] in any order of the first three.
struct HeadView {
  int64_t heads = 1;
  int64_t stride = 0;
  int64_t size = 0;           // of the last axis
  int64_t column_stride = 1;  // between its columns
};
std::optional<HeadView> head_view(const View& view);

/// True for two views with the same axes (an axis of size 1 in front doesn't count) and the same
/// columns.
bool same_elements(const View& a, const View& b);
bool same_axes(const View& a, const View& b);

/// True when the last axis is all columns of a row, in order, and the axes before are the tokens
/// (or the sequences) in order.
bool is_row_major(const View& view, int64_t width, bool* of_tokens = nullptr);

}  // namespace embedforge::recognize
