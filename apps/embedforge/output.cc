#include "output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "embedforge/error.h"

namespace embedforge::app {
namespace {

double now_seconds() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    throw_bad_input("standard output: cannot write");
  }
}

std::string size_text(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.1f} kB", value / 1e3);
  return fmt::format("{} B", bytes);
}

Progress::Progress(std::string what, size_t total, bool forced)
    : what_(std::move(what)),
      total_(total),
      visible_(forced || isatty(STDERR_FILENO) == 1),
      start_(now_seconds()) {}

Progress::~Progress() {
  if (visible_ && done_ > 0) std::fputc('\n', stderr);
}

void Progress::advance(size_t count) {
  done_ += count;
  if (visible_) show();
}

void Progress::show() const {
  const double rate = static_cast<double>(done_) / std::max(1e-9, now_seconds() - start_);
  std::string line = fmt::format("\r{} {}", what_, done_);
  if (total_ > 0) {
    constexpr size_t kWidth = 24;
    const size_t filled = std::min(kWidth, done_ * kWidth / total_);
    line = fmt::format("\r{} [{:#<{}}{:<{}}] {}/{}", what_, "", filled, "", kWidth - filled, done_,
                       total_);
  }
  std::fputs((line + fmt::format(" {:.0f}/s ", rate)).c_str(), stderr);
}

}  // namespace embedforge::app
