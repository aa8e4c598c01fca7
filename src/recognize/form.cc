#include "recognize/form.h"

#include <algorithm>

namespace embedforge::recognize {

std::vector<int64_t> Constant::dims() const {
  std::vector<int64_t> out = tensor.dims;
  if (transposed) std::reverse(out.begin(), out.end());
  return out;
}

MapOf as_map(const Ref& expression) {
  if (const auto* map = expression->get<Map>()) return {map->in, map->values};
  return {expression, map_points()};
}

Viewed without_rounding(const Viewed& value) {
  if (const auto* rounded = value.of->get<Rounded>()) return {rounded->in, value.view};
  return value;
}

}  // namespace embedforge::recognize
