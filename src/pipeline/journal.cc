#include "pipeline/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "embedforge/error.h"
#include "pipeline/content_hash.h"
#include "pipeline/growing_file.h"

namespace embedforge {
namespace {

constexpr int kJournalVersion = 1;

/// The content of a slot, or nothing where it isn't whole.
std::optional<Checkpoint> parse_slot(std::string_view slot) {
  // "SUM {...}   \n"
  constexpr size_t kSum = 16;
  if (slot.size() != kSlotSize || slot[kSum] != ' ' || slot.back() != '\n') return std::nullopt;
  const std::string_view rest = slot.substr(kSum);
  if (fmt::format("{:016x}", content_hash(rest)) != slot.substr(0, kSum)) return std::nullopt;
  const nlohmann::json value = nlohmann::json::parse(rest, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  Checkpoint out;
  const auto number = [&value](const char* key) -> uint64_t {
    const auto found = value.find(key);
    return found != value.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  };
  out.sequence = number("sequence");
  out.input = {number("file"), number("offset"), number("line"), number("hash")};
  out.texts = number("texts");
  out.rows = number("rows");
  out.rejected = number("rejected");
  out.output_bytes = number("output_bytes");
  out.rows_bytes = number("rows_bytes");
  out.rejected_bytes = number("rejected_bytes");
  out.output_tail = number("output_tail");
  out.done = number("done") == 1;
  return out;
}

}  // namespace

std::string journal_slot(const Checkpoint& c) {
  const nlohmann::ordered_json value = {{"sequence", c.sequence},
                                        {"rows", c.rows},
                                        {"texts", c.texts},
                                        {"rejected", c.rejected},
                                        {"file", c.input.file},
                                        {"offset", c.input.offset},
                                        {"line", c.input.line},
                                        {"hash", c.input.hash},
                                        {"output_bytes", c.output_bytes},
                                        {"rows_bytes", c.rows_bytes},
                                        {"rejected_bytes", c.rejected_bytes},
                                        {"output_tail", c.output_tail},
                                        {"done", c.done ? 1 : 0}};
  std::string rest = " " + value.dump();
  rest.resize(kSlotSize - 17, ' ');
  rest += '\n';
  return fmt::format("{:016x}", content_hash(rest)) + rest;
}

std::optional<JournalContent> parse_journal(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) return std::nullopt;
  const auto damaged = [&name] {
    throw_bad_input(name + ": is no journal, or damaged; --overwrite starts anew");
  };
  const size_t line = bytes.find('\n');
  if (line == std::string_view::npos) damaged();
  const nlohmann::json head = nlohmann::json::parse(bytes.substr(0, line), nullptr, false);
  if (!head.is_object() || !head.contains("journal") || !head.contains("job") ||
      !head["job"].is_object())
    damaged();
  if (head["journal"] != kJournalVersion) {
    throw_bad_input(name + ": is of another version of embedforge; --overwrite starts anew");
  }
  std::optional<Checkpoint> last;
  for (size_t at = line + 1; at + kSlotSize <= bytes.size() && at < line + 1 + 2 * kSlotSize;
       at += kSlotSize) {
    const auto slot = parse_slot(bytes.substr(at, kSlotSize));
    if (slot && (!last || slot->sequence > last->sequence)) last = slot;
  }
  if (!last) damaged();
  return JournalContent{head["job"], *last};
}

std::string job_difference(const nlohmann::json& before, const nlohmann::json& now) {
  for (const auto& [key, value] : now.items()) {
    if (!before.contains(key)) return key + " is new";
    if (before[key] == value) continue;
    if (value.is_object() && before[key].is_object()) {
      const std::string inner = job_difference(before[key], value);
      if (!inner.empty()) return key + ": " + inner;
    }
    const auto text = [](const nlohmann::json& json) {
      return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    return key + " was " + text(before[key]) + " and is " + text(value);
  }
  for (const auto& [key, value] : before.items()) {
    if (!now.contains(key)) return key + " is gone";
  }
  return "";
}

Journal::Journal(const std::filesystem::path& path) : path_(path) {
  while (true) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) throw_bad_input(path.string() + ": cannot write: " + std::strerror(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      ::close(fd_);
      throw_bad_input(path.string() +
                      (reason == EWOULDBLOCK
                           ? ": another run is writing this output"
                           : std::string(": cannot lock: ") + std::strerror(reason)));
    }
    // The run that had it may have removed the file between the two calls.
    struct stat mine {
    }, named{};
    if (::fstat(fd_, &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
        mine.st_ino == named.st_ino)
      return;
    ::close(fd_);
  }
}

Journal::~Journal() {
  struct stat info {};
  if (::fstat(fd_, &info) == 0 && info.st_size == 0) ::unlink(path_.c_str());
  ::close(fd_);
}

std::string Journal::read() const {
  std::string bytes;
  char buffer[8192];
  while (true) {
    const ssize_t n = ::pread(fd_, buffer, sizeof(buffer), static_cast<off_t>(bytes.size()));
    if (n < 0) throw_bad_input(path_.string() + ": cannot read: " + std::strerror(errno));
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(n));
  }
}

std::optional<JournalContent> Journal::content() const {
  return parse_journal(read(), path_.string());
}

void Journal::put(uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_bad_input(path_.string() + ": cannot write: " + std::strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  if (::fdatasync(fd_) != 0)
    throw_bad_input(path_.string() + ": cannot write: " + std::strerror(errno));
}

void Journal::begin(const nlohmann::json& job) {
  const nlohmann::json head = {{"journal", kJournalVersion}, {"job", job}};
  const std::string line =
      head.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  slots_ = line.size();
  sequence_ = 0;
  const std::string slot = journal_slot({});
  if (::ftruncate(fd_, 0) != 0)
    throw_bad_input(path_.string() + ": cannot write: " + std::strerror(errno));
  put(0, line + slot + slot);
  sync_folder(path_);
}

void Journal::go_on(const JournalContent& content) {
  slots_ = read().find('\n') + 1;
  sequence_ = content.last.sequence;
}

void Journal::save(Checkpoint checkpoint) {
  checkpoint.sequence = ++sequence_;
  put(slots_ + (sequence_ % 2) * kSlotSize, journal_slot(checkpoint));
}

void Journal::remove() { ::unlink(path_.c_str()); }

}  // namespace embedforge
