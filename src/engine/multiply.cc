#include "engine/multiply.h"

#include <algorithm>

#include "engine/execute.h"
#include "kernels/select.h"

namespace embedforge {

void multiply(const Rows& x, const Rows& w, bool accumulate, ThreadPool& threads, const Rows& out) {
  const kernels::KernelTable& table = kernels::best_table();
  const PackedLinear layer = pack_matrix(w, table);
  threads.run([&](int member) {
    const Entered entered(table);
    const Team team{static_cast<size_t>(member), static_cast<size_t>(threads.size()), nullptr};
    const auto [begin, end] = team.part(x.count);
    InputSpace space;
    constexpr size_t kRows = 64;
    for (size_t row = begin; row < end; row += kRows) {
      const size_t count = std::min(kRows, end - row);
      kernels::LinearArgs args;
      args.column_end = as_int(out.width);
      args.out = out.row(row);
      args.out_stride = out.width;
      if (accumulate) args.add = args.out;
      args.add_stride = out.width;
      multiply(layer, prepare(layer, x.part(row, row + count), space), 0, count, args);
    }
  });
}

}  // namespace embedforge
