#include "recognize/weight.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

/// Rows of a weight, and where they go: columns of a wider matrix when it is a part of another.
struct RowRange {
  size_t begin, count;
  size_t column = 0, stride = 0;
};

/// Calls use(column, place of the stored value, place of it in the rows) for each value of a row,
/// counted from the first.
template <typename Use>
void for_each_value(const Weight& w, const RowRange& rows, size_t row, Use use) {
  const auto k = static_cast<size_t>(w.k);
  const auto n = static_cast<size_t>(w.n);
  const size_t at = rows.begin + row;
  const size_t to = row * rows.stride + rows.column;
  if (w.transposed) {
    for (size_t c = 0; c < n; ++c) use(c, c * k + at, to + c);
  } else {
    for (size_t c = 0; c < n; ++c) use(c, at * n + c, to + c);
  }
}

/// `fill` of the weight, or of each of its parts in its columns.
template <typename T, typename Fill>
std::vector<T> filled(const Weight& weight, size_t k_begin, size_t k_count, Fill fill) {
  const auto stride = static_cast<size_t>(weight.n);
  std::vector<T> out(k_count * stride);
  if (weight.parts.empty()) fill(weight, RowRange{k_begin, k_count, 0, stride}, out.data());
  size_t column = 0;
  for (const Weight& part : weight.parts) {
    fill(part, RowRange{k_begin, k_count, column, stride}, out.data());
    column += static_cast<size_t>(part.n);
  }
  return out;
}

void fill_floats(const Weight& w, const RowRange& rows, float* out) {
  const Int8Format* int8 = w.int8();
  const Tensor& data = w.data();
  const bool stored_so = data.type == DataType::kFloat;
  const std::vector<float> widened = stored_so ? std::vector<float>() : to_floats(data);
  const float* stored = stored_so ? data.as<float>().data() : widened.data();
  const float* by_channel = nullptr;
  if (int8 != nullptr && int8->activation && !int8->activation->channel_scale.empty())
    by_channel = int8->activation->channel_scale.data() + rows.begin;
  bool finite = true;
  for (size_t row = 0; row < rows.count; ++row) {
    const float factor = by_channel == nullptr ? 1 : by_channel[row];
    if (int8 == nullptr) {
      for_each_value(w, rows, row, [&finite, stored, out](size_t, size_t at, size_t to) {
        finite = finite && std::isfinite(stored[at]);
        out[to] = stored[at];
      });
    } else {
      for_each_value(w, rows, row, [=, &finite](size_t column, size_t at, size_t to) {
        const auto zero = static_cast<float>(int8->zero_point(column));
        const float value = (stored[at] - zero) * int8->scales[column];
        finite = finite && std::isfinite(value);
        out[to] = value * factor;
      });
    }
  }
  if (!finite) {
    throw_bad_input("tensor '" + w.name + "' has a value that is not finite; the file is damaged");
  }
  if (int8 == nullptr) return;
  const auto n = static_cast<size_t>(w.n);
  for (size_t j = 0; j < int8->float_channels.size(); ++j) {
    const auto channel = static_cast<size_t>(int8->float_channels[j]);
    if (channel < rows.begin || channel >= rows.begin + rows.count) continue;
    std::copy_n(int8->float_rows.data() + j * n, n,
                out + (channel - rows.begin) * rows.stride + rows.column);
  }
}

void fill_integers(const Weight& w, const RowRange& rows, int8_t* out) {
  const Int8Format& int8 = *w.int8();
  const bool is_unsigned = int8.data.type == DataType::kUint8;
  const int8_t* stored = int8.data.as<int8_t>().data();
  const int32_t* zeros = int8.zero_points.empty() ? nullptr : int8.zero_points.data();
  for (size_t row = 0; row < rows.count; ++row) {
    for_each_value(w, rows, row, [=](size_t column, size_t at, size_t to) {
      const int value = is_unsigned ? static_cast<uint8_t>(stored[at]) : stored[at];
      out[to] = static_cast<int8_t>(value - (zeros == nullptr ? 0 : zeros[column]));
    });
  }
}

}  // namespace

Weight float_weight(std::vector<float> values, size_t k, size_t n) {
  Weight out;
  out.k = static_cast<int64_t>(k);
  out.n = static_cast<int64_t>(n);
  out.format = FloatFormat{Tensor::from_floats({out.k, out.n}, std::move(values))};
  return out;
}

std::vector<float> to_floats(const Weight& weight, size_t k_begin, size_t k_count) {
  return filled<float>(weight, k_begin, k_count, fill_floats);
}

std::vector<float> to_floats(const Weight& weight) {
  return to_floats(weight, 0, static_cast<size_t>(weight.k));
}

std::vector<int8_t> to_integers(const Weight& weight, size_t k_begin, size_t k_count) {
  return filled<int8_t>(weight, k_begin, k_count, fill_integers);
}

bool fits_int8(const Weight& weight) {
  const Int8Format* int8 = weight.int8();
  if (int8 == nullptr) return false;
  const int low = int8->data.type == DataType::kUint8 ? 0 : -128;
  return std::ranges::all_of(int8->zero_points, [&](int32_t zero) {
    return low - zero >= -128 && low + 255 - zero <= 127;
  });
}

const Int8Format* Weight::integer_product() const {
  return fits_int8(*this) && int8()->activation ? int8() : nullptr;
}

}  // namespace embedforge
