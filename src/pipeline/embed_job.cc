#include "pipeline/embed_job.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <semaphore>
#include <thread>
#include <utility>

#include "embedforge/error.h"
#include "pipeline/bounded_queue.h"
#include "pipeline/growing_file.h"
#include "pipeline/job_block.h"
#include "pipeline/job_identity.h"
#include "pipeline/journal.h"

namespace embedforge {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// While one encoder's texts are in the network, the other tokenizes and formats.
constexpr int kEncoders = 2;
constexpr int kBlocksAtOnce = 5;  // read, and not written yet

/// The threads that make blocks of the input, and vectors of blocks.
class Stages {
 public:
  Stages(BlockReader& reader, BlockEncoder& encoder, BlockSize& size, std::atomic<bool>& cancelled)
      : cancelled_(cancelled) {
    threads_.emplace_back([this, &reader] {
      while (true) {
        tickets_.acquire();
        if (cancelled_) break;
        Block block = reader.next(cancelled_);
        const bool end = block.last || block.error != nullptr;
        if (!todo_.push(std::move(block)) || end) break;
      }
      todo_.close();
    });
    for (int i = 0; i < kEncoders; ++i) {
      threads_.emplace_back([this, &encoder, &size] {
        while (auto block = todo_.pop()) {
          const auto start = Clock::now();
          try {
            encoder.encode(*block);
          } catch (...) {
            *block = {.sequence = block->sequence, .lost = true, .error = std::current_exception()};
          }
          if (block->repeated * 4 < block->rows) size.took(block->weight, seconds_since(start));
          if (!done_.push(std::move(*block))) return;
        }
      });
    }
  }
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;
  ~Stages() {
    cancelled_ = true;
    tickets_.release(kBlocksAtOnce);
    todo_.close(true);
    done_.close(true);
    for (std::thread& thread : threads_) thread.join();
  }

  /// A block, in any order; nothing when none is there within a tenth of a second.
  std::optional<Block> next() { return done_.pop_for(std::chrono::milliseconds(100)); }
  /// Room for one more.
  void written() { tickets_.release(); }

 private:
  std::atomic<bool>& cancelled_;
  std::counting_semaphore<4 * kBlocksAtOnce> tickets_{kBlocksAtOnce};
  BoundedQueue<Block> todo_{kBlocksAtOnce}, done_{kBlocksAtOnce};
  std::vector<std::thread> threads_;
};

/// The files of an output, and how far they are written.
class JobFiles {
 public:
  JobFiles(const std::string& output, const Checkpoint& from)
      : output_(output, from.output_bytes),
        rows_(output + ".rows.jsonl", from.rows_bytes),
        rejected_(output + ".rejected.jsonl", from.rejected_bytes),
        at_(from) {
    if (from.output_bytes > 0 && output_.tail_hash(from.output_bytes) != from.output_tail) {
      throw_bad_input(GrowingFile::partial_path(output).string() +
                      ": isn't what the journal says; --overwrite starts anew");
    }
    output_.create();
  }
  void begin(std::string_view header) {
    if (at_.output_bytes > 0) return;
    output_.write(header);
    at_.output_bytes = output_.size();
  }
  /// What fails in the middle of it doesn't count.
  void add(const Block& block) {
    output_.write(block.output);
    rows_.write(block.row_lines);
    rejected_.write(block.rejected_lines);
    at_.input = block.after;
    at_.texts += block.texts.size();
    at_.rows += block.rows;
    at_.rejected += block.rejected;
    at_.output_bytes = output_.size();
    at_.rows_bytes = rows_.size();
    at_.rejected_bytes = rejected_.size();
  }
  void save(Journal& journal) {
    output_.sync();
    rows_.sync();
    rejected_.sync();
    at_.output_tail = output_.tail_hash(at_.output_bytes);
    journal.save(at_);
  }
  void finish(Journal& journal, std::string_view header) {
    if (!header.empty()) output_.overwrite(0, header);
    at_.done = true;
    save(journal);
    rows_.commit();
    rejected_.commit();
    output_.commit();
  }
  const Checkpoint& at() const { return at_; }

 private:
  GrowingFile output_, rows_, rejected_;
  Checkpoint at_;
};

/// All was written in an earlier run; only names may be missing.
void name_files(const std::string& output, const Checkpoint& last) {
  const auto name = [](const std::string& path, bool any) {
    std::error_code failed;
    const std::filesystem::path partial = GrowingFile::partial_path(path);
    if (std::filesystem::exists(partial, failed)) {
      std::filesystem::rename(partial, path, failed);
      if (failed) throw_bad_input(path + ": cannot write: " + failed.message());
    } else if (!any) {
      std::filesystem::remove(path, failed);
    }
  };
  name(output + ".rows.jsonl", last.rows_bytes > 0);
  name(output + ".rejected.jsonl", last.rejected_bytes > 0);
  name(output, true);
}

/// What an earlier run left, where this one goes on with it. Errors: why it may not.
std::optional<JournalContent> earlier_run(const Journal& journal, const JobOptions& options) {
  if (options.resume && options.overwrite)
    throw_usage("--resume and --overwrite were both given; use one of them");
  if (options.overwrite) return std::nullopt;
  std::optional<JournalContent> content = journal.content();
  if (content && !options.resume) {
    throw_bad_input(options.output + ".journal: a run of " + std::to_string(content->last.rows) +
                    " rows was broken off; --resume goes on with it, --overwrite starts anew");
  }
  std::error_code ignored;
  if (!content && std::filesystem::exists(options.output, ignored)) {
    throw_bad_input(options.output + ": exists and is complete; --overwrite replaces it");
  }
  return content;
}

JobProgress counts_of(const Checkpoint& at) {
  return {.texts = at.texts, .rows = at.rows, .rejected = at.rejected};
}

std::string if_any(const std::string& path, uint64_t bytes) { return bytes > 0 ? path : ""; }

JobResult result_of(const JobOptions& options, JobProgress counts, const Checkpoint& at) {
  return {.counts = counts,
          .rejected_path = if_any(options.output + ".rejected.jsonl", at.rejected_bytes),
          .rows_path = if_any(options.output + ".rows.jsonl", at.rows_bytes)};
}

/// Writes the blocks in their order until the last one, an error, or stop(). True: all is written.
class Writer {
 public:
  Writer(const JobOptions& options, JobFiles& files, Journal& journal, JobProgress& counts)
      : options_(options), files_(files), journal_(journal), counts_(counts) {}

  bool run(Stages& stages) {
    uint64_t next = 0;
    std::map<uint64_t, Block> waiting;
    try {
      while (true) {
        if (options_.stop && options_.stop()) break;
        if (auto block = stages.next()) waiting.emplace(block->sequence, std::move(*block));
        for (auto found = waiting.find(next); found != waiting.end();
             found = waiting.find(++next)) {
          const Block block = std::move(found->second);
          waiting.erase(found);
          if (!block.lost) write(block);
          if (block.error != nullptr) std::rethrow_exception(block.error);
          if (block.last) return true;
          stages.written();
        }
        tell();
      }
    } catch (...) {
      save_quietly();
      throw;
    }
    files_.save(journal_);
    return false;
  }
  void tell() const {
    counts_.seconds = seconds_since(start_);
    if (options_.progress) options_.progress(counts_);
  }

 private:
  void write(const Block& block) {
    files_.add(block);
    counts_.texts = files_.at().texts;
    counts_.rows = files_.at().rows;
    counts_.rejected = files_.at().rejected;
    counts_.repeated += block.repeated;
    counts_.bytes = std::max(counts_.bytes, block.input_bytes);
    constexpr double kSecondsBetween = 0.5;
    if (seconds_since(saved_) < kSecondsBetween) return;
    files_.save(journal_);
    saved_ = Clock::now();
  }
  /// After an error; what was saved before stays good where this fails, too.
  void save_quietly() const {
    try {
      files_.save(journal_);
    } catch (const Error& second) {
      static_cast<void>(second);  // the first is the one to tell of
    }
  }
  const JobOptions& options_;
  JobFiles& files_;
  Journal& journal_;
  JobProgress& counts_;
  Clock::time_point start_ = Clock::now(), saved_ = start_;
};

}  // namespace

JobResult run_embed_job(const Embedder& embedder, const JobOptions& given) {
  JobOptions options = given;
  std::atomic<bool> cancelled = false;
  options.read.cancelled = &cancelled;
  const OutputFormat format = output_format_of(options.output);
  std::vector<InputFile> inputs = list_inputs(options.inputs, options.input_format);
  if (options.input_names.size() == inputs.size()) {
    for (size_t i = 0; i < inputs.size(); ++i) inputs[i].name = options.input_names[i];
  }
  std::vector<FileIdentity> identities;
  std::vector<uint64_t> sizes;
  for (const InputFile& input : inputs) {
    std::error_code ignored;
    if (std::filesystem::equivalent(input.path, options.output, ignored))
      throw_usage(options.output + ": is an input, too; name another output");
    identities.push_back(identify_file(input.path));
    sizes.push_back(identities.back().size);
  }
  BlockEncoder encoder(embedder, options, inputs, format);
  const size_t row_bytes = std::max<size_t>(1, encoder.columns() * sizeof(float));
  BlockSize size;
  BlockReader reader(options, inputs, sizes, size,
                     std::clamp<size_t>((size_t{8} << 20U) / row_bytes, 64, 4096),
                     embedder.max_length());

  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::path(options.output).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  Journal journal(options.output + ".journal");
  const auto earlier = earlier_run(journal, options);
  const nlohmann::json identity = job_identity(embedder, options, inputs, identities);
  if (earlier) {
    const std::string difference = job_difference(earlier->job, identity);
    if (!difference.empty()) {
      throw_bad_input(options.output + ".journal: is of another job: " + difference +
                      "; --overwrite starts anew");
    }
  }
  JobProgress counts = counts_of(earlier ? earlier->last : Checkpoint{});
  counts.resumed_rows = counts.rows;
  if (std::ranges::none_of(identities, &FileIdentity::stream))
    for (const uint64_t bytes : sizes) counts.total_bytes += bytes;
  if (earlier && earlier->last.done) {
    name_files(options.output, earlier->last);
    if (!options.keep_journal) journal.remove();
    return result_of(options, counts, earlier->last);
  }
  JobFiles files(options.output, earlier ? earlier->last : Checkpoint{});
  if (earlier) {
    journal.go_on(*earlier);
    reader.go_to(earlier->last.input);
  } else {
    journal.begin(identity);
  }
  if (format == OutputFormat::kNpy) files.begin(npy_header(options.type, 0, encoder.columns()));
  files.save(journal);
  Writer writer(options, files, journal, counts);
  {
    Stages stages(reader, encoder, size, cancelled);
    if (!writer.run(stages)) {
      JobResult result = result_of(options, counts, files.at());
      result.stopped = true;
      return result;
    }
  }
  files.finish(journal, format == OutputFormat::kNpy
                            ? npy_header(options.type, files.at().rows, encoder.columns())
                            : "");
  sync_folder(options.output);
  if (!options.keep_journal) journal.remove();
  writer.tell();
  return result_of(options, counts, files.at());
}

}  // namespace embedforge
