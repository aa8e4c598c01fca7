#include "engine/observe.h"

#include <algorithm>

#include "engine/execute.h"
#include "kernels/select.h"

namespace embedforge {

void observe(const Program& program, const TokenBatch& batch, ThreadPool& threads,
             const std::function<void(LinearStep&, const Rows&)>& before) {
  const kernels::KernelTable& table = kernels::best_table();
  const Compiled compiled = compile(program, table, {.compute = Compute::kFloat32, .fuse = false});
  check_batch(compiled, batch);
  Tile tile;
  for (size_t i = 0; i < batch.sequences(); ++i) tile.add(batch, i);
  const auto members = static_cast<size_t>(threads.size());
  SharedSpace shared;
  shared.reserve(compiled, tile, members);
  std::vector<PrivateSpace> own(members);
  SpinBarrier barrier(threads.size());
  const Run run{compiled, table, batch, tile, shared};
  const auto on_all = [&](const auto& work) {
    threads.run([&](int index) {
      const Entered entered(table);
      const auto member = static_cast<size_t>(index);
      work(Team{member, members, &barrier}, own[member]);
    });
  };
  for (size_t i = 0; i < compiled.ops.size(); ++i) {
    const Op& op = compiled.ops[i];
    const auto* linear = std::get_if<LinearStep>(&program.steps[i]);
    if (linear == nullptr) {
      on_all([&](const Team& team, PrivateSpace& space) { execute(run, {&op, 1}, team, space); });
      continue;
    }
    LinearStep step = *linear;
    const Rows in = shared.value(compiled, step.in, tile.rows);
    const OwnedRows changed(in.count, in.width);
    std::copy_n(in.data, in.size(), changed.data);
    before(step, changed);
    const LinearOp layer = linear_op(step, table);
    on_all([&](const Team& team, PrivateSpace& space) {
      execute(run, layer, changed, op.out, team, space);
    });
  }
}

}  // namespace embedforge
