#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "benchmark/report.h"
#include "benchmark/xml.h"

namespace embedforge::benchmarking {
namespace {

constexpr double kWidth = 1100, kLeft = 150, kBar = 430, kRow = 26, kPanelHead = 58,
                 kPanelFoot = 34;
constexpr const char* kNative = "#0b6e4f";
constexpr const char* kPeer = "#8a94a6";

/// A round step (1, 2 or 5 times a power of ten) that divides the axis into about four.
double axis_step(double most) {
  const double raw = most / 4;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

std::string text(double x, double y, const char* anchor, const char* kind,
                 const std::string& content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                     x, y, anchor, kind, escape_xml(content));
}

std::string line(double x, double y0, double y1, const char* color, double width) {
  return fmt::format(
      "<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\" "
      "stroke-width=\"{4}\"/>\n",
      x, y0, y1, color, width);
}

/// Milliseconds where calls are repeated (latency), else texts a second.
struct Panel {
  bool latency;
  std::vector<Row> rows;
  double value(const Row& row) const { return latency ? row.p50 : row.texts_per_second; }
  /// What the axis has room for; a p99 may lie beyond it.
  double extent(const Row& row, double texts) const {
    return latency ? row.p90 : 1e3 * texts / row.least;
  }
  std::array<double, 2> marks(const Row& row, double texts) const {
    if (latency) return {row.p90, row.p99};
    return {1e3 * texts / row.most, 1e3 * texts / row.least};
  }
};

std::string panel_svg(const Report& report, size_t w, double top) {
  const Workload& workload = report.workloads[w];
  const auto texts = static_cast<double>(workload.texts.size());
  const Panel panel{workload.latency, rows_of(report, w)};
  double most = 0;
  for (const Row& row : panel.rows) most = std::max(most, panel.extent(row, texts));
  const double step = axis_step(most);
  const double scale = kBar / (step * std::ceil(most / step));
  const double bottom = top + kPanelHead + kRow * static_cast<double>(panel.rows.size());
  const std::string& reference = report.workloads.empty() ? "" : reference_of(report)->name;
  std::string out = text(20, top + 20, "start", "title",
                         workload.name + (panel.latency ? ": milliseconds (less is better)"
                                                        : ": texts a second (more is better)"));
  out += text(20, top + 40, "start", "note",
              panel.latency ? "bar: p50; marks: p90 and p99 of all calls"
                            : "bar: median; marks: slowest and fastest round");
  out += text(kLeft + kBar + 20, top + 40, "start", "note",
              panel.latency ? "p50 / p90 / p99 ms" : "texts/s");
  out += text(kLeft + kBar + 215, top + 40, "start", "note", "x " + reference + " [95 %]");
  out += text(kLeft + kBar + 385, top + 40, "start", "note", "cosine mean / min");
  const int ticks = static_cast<int>((kBar + 0.5) / (step * scale));
  for (int i = 0; i <= ticks; ++i) {
    const double tick = i * step;
    out += line(kLeft + tick * scale, top + kPanelHead - 8, bottom, "#d9dee7", 1);
    out += text(kLeft + tick * scale, bottom + 14, "middle", "note", fmt::format("{:g}", tick));
  }
  double y = top + kPanelHead;
  for (const Row& row : panel.rows) {
    const double middle = y + 9;
    const double length = std::max(1.0, panel.value(row) * scale);
    out += text(kLeft - 8, middle + 4, "end", "name", row.engine->name);
    out += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"18\" fill=\"{}\"/>\n",
                       kLeft, y, length, row.engine->native() ? kNative : kPeer);
    for (const double mark : panel.marks(row, texts)) {
      if (mark * scale <= kBar) out += line(kLeft + mark * scale, y + 3, y + 15, "#1d2433", 1.5);
    }
    out += text(kLeft + kBar + 20, middle + 4, "start", "value",
                panel.latency ? fmt::format("{:.2f} / {:.2f} / {:.2f}", row.p50, row.p90, row.p99)
                              : fmt::format("{:.{}f}", row.texts_per_second,
                                            row.texts_per_second < 100 ? 1 : 0));
    out += text(kLeft + kBar + 215, middle + 4, "start", "value", ratio_text(row.to_reference));
    out += text(kLeft + kBar + 385, middle + 4, "start", "value",
                fmt::format("{:.5f} / {:.5f}", row.cosine.mean, row.cosine.min));
    y += kRow;
  }
  return out;
}

double panel_height(const Report& report) {
  const auto measured = std::count_if(report.engines.begin(), report.engines.end(),
                                      [](const Measured& e) { return e.missing.empty(); });
  return kPanelHead + kPanelFoot + kRow * static_cast<double>(measured);
}

}  // namespace

std::string to_svg(const Report& report) {
  const bool any = reference_of(report) != nullptr;
  const double each = panel_height(report);
  const double height = 70 + (any ? each * static_cast<double>(report.workloads.size()) : 0);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\">\n<title>{2}: speed and cosine of each "
      "engine</title>\n<style>text {{ font: 13px system-ui, sans-serif; fill: #1d2433 }} "
      ".title {{ font-weight: 600; font-size: 15px }} .note {{ font-size: 12px; fill: #566074 }} "
      ".value {{ font-variant-numeric: tabular-nums }}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      kWidth, height, escape_xml(report.model));
  out += text(20, 26, "start", "title", report.model);
  out += text(20, 46, "start", "note",
              fmt::format("{}, {} threads, {}", report.machine.processor, report.threads,
                          report.machine.time));
  for (size_t w = 0; any && w < report.workloads.size(); ++w)
    out += panel_svg(report, w, 64 + each * static_cast<double>(w));
  return out + "</svg>\n";
}

}  // namespace embedforge::benchmarking
