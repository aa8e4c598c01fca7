#include "embed_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "output.h"

namespace embedforge::app {
namespace {

constexpr double kSecondsBetween = 0.5;

double share_done(const JobProgress& counts) {
  if (counts.total_bytes == 0) return 0;
  return std::min(1.0, static_cast<double>(counts.bytes) / static_cast<double>(counts.total_bytes));
}

std::string time_text(double seconds) {
  const auto whole = static_cast<uint64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

}  // namespace

EmbedProgress::EmbedProgress(const std::string& kind)
    : line_(kind == "line" || (kind == "auto" && isatty(STDERR_FILENO) == 1)),
      json_(kind == "json") {}

void EmbedProgress::show(const JobProgress& counts) {
  if ((!line_ && !json_) || counts.seconds < shown_at_ + kSecondsBetween) return;
  const double seconds = counts.seconds - std::max(0.0, shown_at_);
  const double rate =
      static_cast<double>(counts.rows - std::max(before_.rows, counts.resumed_rows)) /
      std::max(seconds, 1e-9);
  // A mean of about the last ten seconds.
  if (seconds > 0)
    rate_ += (rate - rate_) * std::min(1.0, std::max(seconds / 10, seconds / counts.seconds));
  shown_at_ = counts.seconds;
  before_ = counts;
  shown_ = true;
  if (json_) {
    show_json(counts, "progress");
  } else {
    show_line(counts);
  }
}

void EmbedProgress::show_line(const JobProgress& counts) {
  std::string line = fmt::format("\r{} rows {:.0f}/s", counts.rows, rate_);
  const double share = share_done(counts);
  if (share > 0) {
    line += fmt::format(" {:.1f} % of {}", 100 * share, size_text(counts.total_bytes));
    const auto made = static_cast<double>(counts.rows);
    if (rate_ > 0) line += fmt::format(", {} left", time_text(made * (1 - share) / share / rate_));
  }
  if (counts.rejected > 0) line += fmt::format(", {} rejected", counts.rejected);
  std::fputs((line + "   ").c_str(), stderr);
}

void EmbedProgress::show_json(const JobProgress& counts, const char* event) const {
  const double share = share_done(counts);
  std::string line = fmt::format(
      R"({{"event":"{}","rows":{},"texts":{},"rejected":{},"repeated":{},"seconds":{:.3f},"rows_per_second":{:.1f})",
      event, counts.rows, counts.texts, counts.rejected, counts.repeated, counts.seconds, rate_);
  if (counts.total_bytes > 0) {
    line += fmt::format(R"(,"bytes":{},"total_bytes":{})", counts.bytes, counts.total_bytes);
    if (share > 0 && rate_ > 0)
      line += fmt::format(R"(,"seconds_left":{:.1f})",
                          static_cast<double>(counts.rows) * (1 - share) / share / rate_);
  }
  std::fputs((line + "}\n").c_str(), stderr);
}

void EmbedProgress::finish(const JobResult& result) {
  if (json_) show_json(result.counts, result.stopped ? "stopped" : "done");
  if (line_ && shown_) std::fputc('\n', stderr);
}

}  // namespace embedforge::app
