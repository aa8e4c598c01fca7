// Takes: how far a job has come. Gives: that to the next run, whatever ended this one. Never: lets
// two runs have one output.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/row_source.h"

namespace embedforge {

/// All that was written, and where the input goes on after it.
struct Checkpoint {
  uint64_t sequence = 0;  // the larger one counts
  InputPosition input;
  uint64_t texts = 0;     // records read, rejected ones not counted
  uint64_t rows = 0;      // vectors written
  uint64_t rejected = 0;  // records
  uint64_t output_bytes = 0, rows_bytes = 0, rejected_bytes = 0;
  uint64_t output_tail = 0;  // GrowingFile::tail_hash()
  bool done = false;         // only the names of the files are missing
  bool operator==(const Checkpoint&) const = default;
};

struct JournalContent {
  nlohmann::json job;  // what must be the same in the next run
  Checkpoint last;
};

/// A journal is a line with the job, then two lines of kSlotSize bytes that are written in turn, so
/// that one of them is whole at any time. Gives nothing for an empty file. Errors: kBadInput when
/// it is damaged.
std::optional<JournalContent> parse_journal(std::string_view bytes, const std::string& name);
std::string journal_slot(const Checkpoint& checkpoint);
inline constexpr size_t kSlotSize = 512;

/// What differs, in a few words such as `field was "text" and is "body"`; "" where nothing does.
std::string job_difference(const nlohmann::json& before, const nlohmann::json& now);

class Journal {
 public:
  /// Makes the file where there is none, and locks it. Errors: kBadInput when it can't be written,
  /// or another process has it.
  explicit Journal(const std::filesystem::path& path);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  /// An empty journal goes.
  ~Journal();

  /// What an earlier run left.
  std::optional<JournalContent> content() const;
  void begin(const nlohmann::json& job);
  /// Goes on after content().
  void go_on(const JournalContent& content);
  /// Returns when it is on the disk.
  void save(Checkpoint checkpoint);
  void remove();

 private:
  void put(uint64_t offset, std::string_view bytes) const;
  std::string read() const;
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t slots_ = 0;     // where they begin
  uint64_t sequence_ = 0;  // of the last checkpoint
};

}  // namespace embedforge
