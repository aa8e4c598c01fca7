// Takes: how far a job has come. Gives: a line on the terminal, or JSON lines for a machine, on
// stderr. Never: more than a few a second.
#pragma once

#include <string>

#include "pipeline/embed_job.h"

namespace embedforge::app {

class EmbedProgress {
 public:
  /// `kind`: auto, line, none or json.
  explicit EmbedProgress(const std::string& kind);
  void show(const JobProgress& counts);
  /// The last one, whatever the time.
  void finish(const JobResult& result);

 private:
  void show_line(const JobProgress& counts);
  void show_json(const JobProgress& counts, const char* event) const;
  bool line_ = false, json_ = false, shown_ = false;
  double shown_at_ = -1;
  double rate_ = 0;  // rows a second
  JobProgress before_;
};

}  // namespace embedforge::app
