#include <fmt/format.h>

#include "benchmark/report.h"
#include "benchmark/xml.h"

namespace embedforge::benchmarking {
namespace {

constexpr const char* kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>embedforge benchmark</title>
<style>
  body { font: 14px/1.45 system-ui, sans-serif; color: #1d2433; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.5rem; margin: 0 0 1rem; }
  h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
  th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid #d9dee7; }
  th { color: #566074; font-weight: 600; }
  th:first-child, td:first-child, .left { text-align: left; }
  .native td:first-child { color: #0b6e4f; font-weight: 600; }
  .machine th { width: 7rem; }
  .machine td { text-align: left; white-space: normal; }
  code { background: #f0f2f6; padding: .1rem .3rem; }
  svg { max-width: 100%; height: auto; }
</style>
</head>
<body>
<h1>embedforge benchmark</h1>
)";

std::string cell(const std::string& content, const char* tag = "td", const char* kind = "") {
  const std::string attribute = *kind == '\0' ? "" : fmt::format(" class=\"{}\"", kind);
  return fmt::format("<{0}{1}>{2}</{0}>", tag, attribute, escape_xml(content));
}

std::string header(const std::vector<std::string>& names) {
  std::string out = "<div class=\"wide\"><table>\n<tr>";
  for (const std::string& name : names) out += cell(name, "th", name == "setting" ? "left" : "");
  return out + "</tr>\n";
}

std::string row_start(const Measured& engine) {
  return std::string(engine.native() ? "<tr class=\"native\">" : "<tr>") + cell(engine.name);
}

std::string engines_table(const Report& report) {
  std::string out = header(
      {"engine", "version", "file, MB", "load, ms", "first text, ms", "memory, MB", "peak, MB"});
  for (const Measured& e : report.engines) {
    if (!e.missing.empty()) continue;
    out += row_start(e) + cell(e.version) +
           cell(fmt::format("{:.1f}", static_cast<double>(e.file_bytes) / 1e6)) +
           cell(fmt::format("{:.0f}", 1e3 * e.load_seconds)) +
           cell(fmt::format("{:.2f}", 1e3 * e.first_seconds)) +
           cell(fmt::format("{:.0f}", static_cast<double>(e.memory_bytes) / 1e6)) +
           cell(fmt::format("{:.0f}", static_cast<double>(e.peak_bytes) / 1e6)) + "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string workload_table(const Report& report, size_t w) {
  const bool latency = report.workloads[w].latency;
  std::vector<std::string> names = {"engine", latency ? "p50, ms" : "median, ms"};
  if (latency) names.insert(names.end(), {"p90, ms", "p99, ms"});
  names.insert(names.end(), {"texts/s", "x " + reference_of(report)->name + " [95 %]",
                             "x best peer [95 %]", "cosine, mean", "cosine, min", "setting"});
  std::string out = "<h2>" + escape_xml(report.workloads[w].name) + "</h2>\n" + header(names);
  for (const Row& row : rows_of(report, w)) {
    out += row_start(*row.engine) + cell(fmt::format("{:.2f}", row.p50));
    if (latency) out += cell(fmt::format("{:.2f}", row.p90)) + cell(fmt::format("{:.2f}", row.p99));
    out += cell(fmt::format("{:.1f}", row.texts_per_second)) + cell(ratio_text(row.to_reference)) +
           cell(ratio_text(row.to_best_peer)) + cell(fmt::format("{:.5f}", row.cosine.mean)) +
           cell(fmt::format("{:.5f}", row.cosine.min)) + cell(row.setting, "td", "left") +
           "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string missing_list(const Report& report) {
  std::string items;
  for (const Measured& e : report.engines) {
    if (e.missing.empty()) continue;
    items += "<li>" + escape_xml(e.name) + ": " + escape_xml(e.missing);
    if (!e.install.empty()) items += "; <code>" + escape_xml(e.install) + "</code>";
    items += "</li>\n";
  }
  return items.empty() ? "" : "<h2>Not measured</h2>\n<ul>\n" + items + "</ul>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  std::string out = kHead;
  out += "<table class=\"machine\">\n";
  for (const auto& [name, value] : machine_lines(report))
    out += "<tr>" + cell(name, "th") + cell(value) + "</tr>\n";
  out += "</table>\n<h2>Speed, with the cosine beside it</h2>\n" + to_svg(report);
  out += "<h2>Engines</h2>\n" + engines_table(report);
  for (size_t w = 0; reference_of(report) != nullptr && w < report.workloads.size(); ++w)
    out += workload_table(report, w);
  out += missing_list(report) + "<h2>How to read it</h2>\n<ul>\n";
  for (const std::string& note : notes_of(report)) out += "<li>" + escape_xml(note) + "</li>\n";
  return out + "</ul>\n</body>\n</html>\n";
}

}  // namespace embedforge::benchmarking
