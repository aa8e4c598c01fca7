#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace embedforge::serve {
namespace {

/// Upper bounds of a histogram's buckets: seconds by 1.5, everything else by 2.
std::vector<double> bounds_of(std::string_view name) {
  std::vector<double> bounds;
  if (name.ends_with("_duration")) {
    double bound = 1.5e-5;
    for (int i = 0; i < 35; ++i, bound *= 1.5) bounds.push_back(bound);
    return bounds;
  }
  const int last = name == "te_batch_next_tokens" ? 20 : name == "te_batch_next_size" ? 12 : 16;
  for (int i = 0; i <= last; ++i)
    bounds.push_back(static_cast<double>(1U << static_cast<unsigned>(i)));
  return bounds;
}

std::string series(std::string_view name, const std::string& labels, const std::string& more = "") {
  const std::string both = labels.empty() || more.empty() ? labels + more : labels + "," + more;
  return both.empty() ? std::string(name) : fmt::format("{}{{{}}}", name, both);
}

}  // namespace

Metrics::Metrics() {
  // What a dashboard divides by must be there before the first request.
  for (const char* name : {"te_request_count", "te_request_success"}) {
    for (const char* method : {"single", "batch"}) count(name, metric_label("method", method), 0);
  }
  set("te_queue_size", "", 0);
}

void Metrics::count(std::string_view name, const std::string& labels, double by) {
  const std::lock_guard lock(mutex_);
  auto family = counters_.find(name);
  if (family == counters_.end())
    family = counters_.emplace(name, std::map<std::string, double>{}).first;
  family->second[labels] += by;
}

void Metrics::set(std::string_view name, const std::string& labels, double value) {
  const std::lock_guard lock(mutex_);
  auto family = gauges_.find(name);
  if (family == gauges_.end())
    family = gauges_.emplace(name, std::map<std::string, double>{}).first;
  family->second[labels] = value;
}

void Metrics::observe(std::string_view name, double value, const std::string& labels) {
  const std::lock_guard lock(mutex_);
  auto family = histograms_.find(name);
  if (family == histograms_.end())
    family = histograms_.emplace(name, std::map<std::string, Histogram>{}).first;
  Histogram& histogram = family->second[labels];
  if (histogram.counts.empty()) {
    histogram.bounds = bounds_of(name);
    histogram.counts.resize(histogram.bounds.size() + 1);
  }
  const auto bound = std::ranges::lower_bound(histogram.bounds, value);
  ++histogram.counts[static_cast<size_t>(bound - histogram.bounds.begin())];
  histogram.sum += value;
  ++histogram.count;
}

std::string Metrics::text() const {
  std::string out;
  const auto to = std::back_inserter(out);
  const std::lock_guard lock(mutex_);
  const auto plain = [&](const Family<double>& families, const char* type) {
    for (const auto& [name, family] : families) {
      fmt::format_to(to, "# TYPE {} {}\n", name, type);
      for (const auto& [labels, value] : family)
        fmt::format_to(to, "{} {}\n", series(name, labels), value);
    }
  };
  plain(counters_, "counter");
  plain(gauges_, "gauge");
  for (const auto& [name, family] : histograms_) {
    fmt::format_to(to, "# TYPE {} histogram\n", name);
    for (const auto& [labels, histogram] : family) {
      uint64_t below = 0;
      for (size_t i = 0; i < histogram.bounds.size(); ++i) {
        below += histogram.counts[i];
        const std::string bound = metric_label("le", fmt::format("{}", histogram.bounds[i]));
        fmt::format_to(to, "{} {}\n", series(name + "_bucket", labels, bound), below);
      }
      fmt::format_to(to, "{} {}\n", series(name + "_bucket", labels, "le=\"+Inf\""),
                     histogram.count);
      fmt::format_to(to, "{} {}\n", series(name + "_sum", labels), histogram.sum);
      fmt::format_to(to, "{} {}\n", series(name + "_count", labels), histogram.count);
    }
  }
  return out;
}

std::string metric_label(std::string_view key, std::string_view value) {
  std::string out(key);
  out += "=\"";
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace embedforge::serve
