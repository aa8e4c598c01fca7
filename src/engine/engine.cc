#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "base/cache_folder.h"
#include "base/per_process.h"
#include "base/threads.h"
#include "embedforge/error.h"
#include "engine/compile.h"
#include "engine/execute.h"
#include "engine/head.h"
#include "engine/pack_cache.h"
#include "kernels/select.h"

namespace embedforge {
namespace {

/// Tokens a tile: enough rows to reuse each weight that is brought from memory. From 64 to 384 the
/// speed of the AVX2 table was the same within the noise.
constexpr size_t kTileTokens = 256;

Compiled compile_cached(const Program& program, const EngineOptions& options,
                        const kernels::KernelTable& table) {
  const std::optional<std::filesystem::path> folder = cache_folder();
  if (options.model.empty() || !folder)
    return compile(program, table, {.compute = options.compute});
  PackCache cache(*folder, pack_key(options.model, table.name, compute_name(options.compute)));
  return compile(program, table, {.compute = options.compute, .cache = &cache});
}

struct Worker {
  SharedSpace shared;
  PrivateSpace own;
};

/// Workspaces of the threads: one call at a time.
struct Crew {
  std::mutex turn;
  std::vector<Worker> workers;
};

}  // namespace

struct Engine::Impl {
  const kernels::KernelTable& table;
  Compiled program;
  std::optional<Head> head;
  size_t threads;
  SharedThreads pool;
  mutable PerProcess<Crew> crew;

  Impl(const Program& source, const EngineOptions& options)
      : table(options.table != nullptr ? *options.table : kernels::best_table()),
        program(compile_cached(source, options, table)),
        threads(static_cast<size_t>(options.threads > 0 ? options.threads : available_threads())),
        pool(options.shared_threads != nullptr ? options.shared_threads
                                               : share_threads(static_cast<int>(threads))),
        crew([this] {
          auto fresh = std::make_unique<Crew>();
          fresh->workers.resize(threads);
          return fresh;
        }) {
    if (!source.head.empty()) head.emplace(source.head, program.hidden_size);
  }

  /// Calls use(sequence, its wanted hidden rows) for every sequence, from several threads.
  template <typename Use>
  void run(const TokenBatch& batch, Wanted wanted, Use use) const {
    check_batch(program, batch);
    Crew& here = crew.get();
    const std::lock_guard turn(here.turn);
    if (threads > 1 && needs_team(batch)) {
      run_together(here, batch, wanted, use);
    } else {
      run_apart(here, batch, wanted, use);
    }
    give_back(here.workers);
  }

  /// For few tokens, since reading the weights is what they cost, and where whole sequences would
  /// leave threads without work.
  bool needs_team(const TokenBatch& batch) const {
    const size_t tokens = batch.ids.size();
    size_t longest = 0;
    for (size_t i = 0; i < batch.sequences(); ++i) longest = std::max(longest, batch.length(i));
    return tokens <= kMemberRows * threads || longest * threads > tokens + tokens / 2;
  }

  template <typename Use>
  void run_apart(Crew& here, const TokenBatch& batch, Wanted wanted, Use use) const {
    const std::vector<Tile> tiles = make_tiles(batch, wanted, kTileTokens, threads);
    std::atomic<size_t> next{0};
    const auto work = [&](int index) {
      Worker& worker = here.workers[static_cast<size_t>(index)];
      const Entered entered(table);
      for (size_t t = next++; t < tiles.size(); t = next++) {
        worker.shared.reserve(program, tiles[t], 1);
        execute({program, table, batch, tiles[t], worker.shared}, program.ops, Team{}, worker.own);
        finish(tiles[t], worker.shared, use);
      }
    };
    if (tiles.size() <= 1) {
      work(0);
    } else {
      pool->get().run(work);
    }
  }

  template <typename Use>
  void run_together(Crew& here, const TokenBatch& batch, Wanted wanted, Use use) const {
    for (const Tile& tile : make_tiles(batch, wanted, kTileTokens * threads, 1)) {
      SharedSpace& shared = here.workers[0].shared;
      shared.reserve(program, tile, threads);
      SpinBarrier barrier(static_cast<int>(threads));
      pool->get().run([&](int index) {
        const Entered entered(table);
        const auto member = static_cast<size_t>(index);
        execute({program, table, batch, tile, shared}, program.ops, {member, threads, &barrier},
                here.workers[member].own);
      });
      finish(tile, shared, use);
    }
  }

  template <typename Use>
  void finish(const Tile& tile, const SharedSpace& space, Use use) const {
    const Tile wanted = wanted_rows(tile);
    const Rows hidden = space.value(program, program.hidden, wanted.rows);
    for (const TileSequence& s : wanted.sequences) use(s, hidden.part(s.row, s.row + s.length));
  }

  /// Workspaces that one long text made large don't stay.
  void give_back(std::vector<Worker>& workers) const {
    size_t row = 0;
    for (const size_t width : program.slot_width) row += width * sizeof(float);
    for (Worker& w : workers) {
      if (w.shared.bytes() + w.own.bytes() > 8 * row * kTileTokens + (size_t{8} << 20U))
        w = Worker{};
    }
  }
};

Engine::Engine(const Program& program, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(program, options)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

size_t Engine::hidden_size() const { return impl_->program.hidden_size; }
int Engine::threads() const { return static_cast<int>(impl_->threads); }
const kernels::KernelTable& Engine::table() const { return impl_->table; }
size_t Engine::width() const { return impl_->head ? impl_->head->width() : hidden_size(); }

void Engine::pooled(const TokenBatch& batch, float* out) const {
  if (!impl_->head) throw Error(ErrorCode::kBug, "a program without a head gives no vectors");
  const Head& head = *impl_->head;
  const size_t width = head.width();
  for (size_t i = 0; i < batch.sequences(); ++i) {
    if (batch.length(i) == 0) std::fill_n(out + i * width, width, 0.0F);
  }
  const std::optional<Pooling> pooling = head.only_pooling();
  Wanted wanted = Wanted::kAll;
  if (pooling == Pooling::kCls && batch.skip == 0) wanted = Wanted::kFirst;
  if (pooling == Pooling::kLast && batch.skip == 0) wanted = Wanted::kLast;
  impl_->run(batch, wanted, [&](const TileSequence& s, const Rows& rows) {
    head.apply(rows.data, rows.count, batch.skip, out + s.index * width);
  });
}

void Engine::tokens(const TokenBatch& batch, float* out) const {
  const size_t width = hidden_size();
  impl_->run(batch, Wanted::kAll, [&](const TileSequence& s, const Rows& rows) {
    std::copy_n(rows.data, rows.size(), out + s.first * width);
  });
}

}  // namespace embedforge
