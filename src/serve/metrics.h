// Takes: what happens to requests and batches. Gives: Prometheus' text format, with the names and
// buckets of text-embeddings-inference, whose dashboards then work. Never: locks on the way of a
// request for longer than an addition takes.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace embedforge::serve {

class Metrics {
 public:
  Metrics();

  /// A counter's `name{labels}` goes up. `labels` as they stand in the text: method="single".
  void count(std::string_view name, const std::string& labels = "", double by = 1);
  void set(std::string_view name, const std::string& labels, double value);
  /// One more observation of a histogram. The bounds go by the name: text-embeddings-inference's.
  void observe(std::string_view name, double value, const std::string& labels = "");

  /// The whole page (text/plain; version=0.0.4).
  std::string text() const;

 private:
  struct Histogram {
    std::vector<double> bounds;
    std::vector<uint64_t> counts;  // of each bound, not cumulated; one more for +Inf
    double sum = 0;
    uint64_t count = 0;
  };
  /// The series of one name, by their labels.
  template <typename Series>
  using Family = std::map<std::string, std::map<std::string, Series>, std::less<>>;

  mutable std::mutex mutex_;
  Family<double> counters_, gauges_;
  Family<Histogram> histograms_;
};

/// `key="value"`, escaped.
std::string metric_label(std::string_view key, std::string_view value);

}  // namespace embedforge::serve
