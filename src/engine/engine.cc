#include "engine/engine.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <string>

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
constexpr int kTileTokens = 256;

/// Loads the thread's tile registers for as long as it computes.
class Entered {
 public:
  explicit Entered(const kernels::KernelTable& table) : table_(table) {
    if (table_.enter != nullptr) table_.enter();
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() {
    if (table_.leave != nullptr) table_.leave();
  }

 private:
  const kernels::KernelTable& table_;
};

Compiled compile_cached(const Program& program, const EngineOptions& options,
                        const kernels::KernelTable& table) {
  const std::optional<std::filesystem::path> folder = pack_cache_folder();
  if (options.model.empty() || !folder) return compile(program, options.compute, table);
  PackCache cache(*folder, pack_key(options.model, table.name, compute_name(options.compute)));
  return compile(program, options.compute, table, &cache);
}

struct Worker {
  SharedSpace shared;
  PrivateSpace own;
};

/// Who computes: one call at a time.
struct Crew {
  std::mutex turn;
  ThreadPool pool;
  std::vector<Worker> workers;

  explicit Crew(int threads) : pool(threads), workers(static_cast<size_t>(threads)) {}
};

}  // namespace

struct Engine::Impl {
  const kernels::KernelTable& table;
  Compiled program;
  std::optional<Head> head;
  int threads;
  mutable PerProcess<Crew> crew;

  Impl(const Program& source, const EngineOptions& options)
      : table(options.table != nullptr ? *options.table : kernels::best_table()),
        program(compile_cached(source, options, table)),
        threads(options.threads > 0 ? options.threads : available_threads()),
        crew([this] { return std::make_unique<Crew>(threads); }) {
    if (!source.head.empty()) head.emplace(source.head, static_cast<size_t>(program.hidden_size));
  }

  void check(const TokenBatch& batch) const {
    if (batch.sequences() > 0 && batch.offsets.back() != batch.ids.size())
      throw Error(ErrorCode::kBug, "token offsets don't cover the ids");
    for (const int32_t id : batch.ids) {
      if (id < 0 || (program.vocabulary > 0 && id >= program.vocabulary)) {
        throw_bad_input(
            "token id " + std::to_string(id) + " is outside the model's vocabulary of " +
            std::to_string(program.vocabulary) + "; the tokenizer belongs to another model");
      }
    }
    check_types(batch);
    for (size_t i = 0; i < batch.sequences(); ++i) {
      const size_t length = batch.offsets[i + 1] - batch.offsets[i];
      if (program.max_positions > 0 && length > static_cast<size_t>(program.max_positions)) {
        throw_bad_input("text " + std::to_string(i) + " has " + std::to_string(length) +
                        " tokens but the model has only " + std::to_string(program.max_positions) +
                        " positions; lower max_length");
      }
    }
  }

  void check_types(const TokenBatch& batch) const {
    if (batch.type_ids.empty()) return;
    for (const Op& op : program.ops) {
      const auto* embed = std::get_if<EmbedOp>(&op);
      if (embed == nullptr) continue;
      for (const EmbedStep::Table& table : embed->step.tables) {
        const int64_t rows = table.rows.dims[0];
        if (table.source != EmbedStep::Source::kTokenType || rows == 1) continue;
        for (const int32_t type : batch.type_ids) {
          if (type >= 0 && type < rows) continue;
          throw_bad_input("token type " + std::to_string(type) + " is outside the model's " +
                          std::to_string(rows) + "; the tokenizer belongs to another model");
        }
      }
    }
  }

  const float* hidden_rows(const SharedSpace& space) const {
    return space
        .slots[static_cast<size_t>(program.slot_of_value[static_cast<size_t>(program.hidden)])]
        .floats();
  }

  /// Calls use(sequence, its wanted hidden rows) for every sequence, from several threads.
  template <typename Use>
  void run(const TokenBatch& batch, Rows wanted, Use use) const {
    check(batch);
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
    const auto members = static_cast<size_t>(threads);
    const size_t tokens = batch.ids.size();
    size_t longest = 0;
    for (size_t i = 0; i < batch.sequences(); ++i)
      longest = std::max(longest, batch.offsets[i + 1] - batch.offsets[i]);
    return tokens <= kMemberRows * members || longest * members > tokens + tokens / 2;
  }

  template <typename Use>
  void run_apart(Crew& here, const TokenBatch& batch, Rows wanted, Use use) const {
    const std::vector<Tile> tiles = make_tiles(batch, wanted, kTileTokens, threads);
    std::atomic<size_t> next{0};
    const auto work = [&](int index) {
      Worker& worker = here.workers[static_cast<size_t>(index)];
      const Entered entered(table);
      for (size_t t = next++; t < tiles.size(); t = next++) {
        reserve(program, tiles[t], 1, worker.shared);
        execute(program, table, batch, tiles[t], Team{}, worker.shared, worker.own);
        finish(tiles[t], worker.shared, use);
      }
    };
    if (tiles.size() <= 1) {
      work(0);
    } else {
      here.pool.run(work);
    }
  }

  template <typename Use>
  void run_together(Crew& here, const TokenBatch& batch, Rows wanted, Use use) const {
    std::vector<Tile> tiles = make_tiles(batch, wanted, kTileTokens * threads, 1);
    for (const Tile& tile : tiles) {
      SharedSpace& shared = here.workers[0].shared;
      reserve(program, tile, threads, shared);
      SpinBarrier barrier(threads);
      here.pool.run([&](int index) {
        const Entered entered(table);
        execute(program, table, batch, tile, Team{index, threads, &barrier}, shared,
                here.workers[static_cast<size_t>(index)].own);
      });
      finish(tile, shared, use);
    }
  }

  template <typename Use>
  void finish(const Tile& tile, const SharedSpace& space, Use use) const {
    const float* hidden = hidden_rows(space);
    for (const TileSequence& s : wanted_rows(tile).sequences)
      use(s, hidden + static_cast<size_t>(s.row) * static_cast<size_t>(program.hidden_size));
  }

  /// Workspaces that one long text made large don't stay.
  void give_back(std::vector<Worker>& workers) const {
    size_t row = 0;
    for (const int width : program.slot_width) row += static_cast<size_t>(width) * sizeof(float);
    for (Worker& w : workers) {
      size_t bytes = w.shared.inner.size() + w.own.bytes();
      for (const AlignedBuffer& b : w.shared.slots) bytes += b.size();
      if (bytes > 8 * row * static_cast<size_t>(kTileTokens) + (size_t{8} << 20U)) w = Worker{};
    }
  }
};

Engine::Engine(const Program& program, const EngineOptions& options)
    : impl_(std::make_unique<Impl>(program, options)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

size_t Engine::hidden_size() const { return static_cast<size_t>(impl_->program.hidden_size); }
int Engine::threads() const { return impl_->threads; }
const kernels::KernelTable& Engine::table() const { return impl_->table; }

size_t Engine::width() const { return impl_->head ? impl_->head->width() : hidden_size(); }

void Engine::pooled(const TokenBatch& batch, float* out) const {
  if (!impl_->head) throw Error(ErrorCode::kBug, "a program without a head gives no vectors");
  const Head& head = *impl_->head;
  const size_t width = head.width();
  for (size_t i = 0; i < batch.sequences(); ++i) {
    if (batch.length(i) == 0) std::fill_n(out + i * width, width, 0.0F);
  }
  const std::optional<Pooling> pooling =
      batch.skip == 0 ? head.only_pooling() : std::optional<Pooling>();
  const Rows wanted = pooling == Pooling::kCls    ? Rows::kFirst
                      : pooling == Pooling::kLast ? Rows::kLast
                                                  : Rows::kAll;
  impl_->run(batch, wanted, [&](const TileSequence& s, const float* rows) {
    head.apply(rows, static_cast<size_t>(s.length), batch.skip, out + s.index * width);
  });
}

void Engine::tokens(const TokenBatch& batch, float* out) const {
  const size_t width = hidden_size();
  impl_->run(batch, Rows::kAll, [&](const TileSequence& s, const float* rows) {
    std::memcpy(out + s.first * width, rows, static_cast<size_t>(s.length) * width * sizeof(float));
  });
}

}  // namespace embedforge
