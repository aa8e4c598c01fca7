#include "pipeline/embed_job.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bindings.h"
#include "fields.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

/// By the names of the fields of JobOptions and what is in them.
JobOptions job_options(const nb::kwargs& given) {
  JobOptions job;
  Fields fields(given);
  fields.take("input_format", job.input_format);
  fields.take("input_names", job.input_names);
  fields.take("of_inputs", job.of_inputs);
  fields.take("field", job.read.fields.field);
  fields.take("id_field", job.read.fields.id_field);
  fields.take("template", job.read.fields.text_template);
  fields.take("header", job.read.header);
  fields.take("max_line", job.read.max_line);
  fields.take("chunk_tokens", job.chunk_tokens);
  fields.take("overlap", job.overlap);
  fields.take("batch_size", job.encode.batch_size);
  fields.take("normalize", job.encode.normalize);
  fields.take("prompt_name", job.encode.prompt_name);
  fields.take<std::string>("prompt", job.encode.prompt, std::identity());
  fields.take("dimensions", job.encode.dimensions);
  fields.take<std::string>("precision", job.type, vector_type_of);
  fields.take("ranges", job.ranges);
  fields.take("with_text", job.with_text);
  fields.take("rows", job.write_rows);
  fields.take("resume", job.resume);
  fields.take("overwrite", job.overwrite);
  fields.take("keep_journal", job.keep_journal);
  fields.take("strict", job.strict);
  fields.take("model", job.model);
  fields.take("model_flags", job.model_flags);
  fields.finish("option");
  return job;
}

nb::dict as_dict(const JobProgress& counts) {
  nb::dict out;
  out["texts"] = counts.texts;
  out["rows"] = counts.rows;
  out["rejected"] = counts.rejected;
  out["repeated"] = counts.repeated;
  out["bytes"] = counts.bytes;
  out["total_bytes"] = counts.total_bytes;
  out["resumed_rows"] = counts.resumed_rows;
  out["seconds"] = counts.seconds;
  return out;
}

/// Python's side of a run: its signals and its callback, whose exceptions end the run in order.
class Caller {
 public:
  explicit Caller(nb::object progress) : progress_(std::move(progress)) {}

  bool stop() {
    if (raised_) return true;
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) raised_.emplace();
    return raised_.has_value();
  }
  void tell(const JobProgress& counts) {
    constexpr double kSecondsBetween = 0.2;
    if (progress_.is_none() || raised_ || counts.seconds < told_ + kSecondsBetween) return;
    told_ = counts.seconds;
    const nb::gil_scoped_acquire locked;
    try {
      progress_(as_dict(counts));
    } catch (nb::python_error& error) {
      raised_.emplace(std::move(error));
    }
  }
  /// With the interpreter's lock held.
  void raise() {
    if (raised_) throw nb::python_error(std::move(*raised_));
  }

 private:
  nb::object progress_;
  std::optional<nb::python_error> raised_;
  double told_ = -1;
};

nb::dict embed_file(const Embedder& embedder, const std::vector<std::string>& inputs,
                    const std::string& output, const nb::object& progress,
                    const nb::kwargs& given) {
  JobOptions job = job_options(given);
  job.inputs = inputs;
  job.output = output;
  Caller caller(progress);
  job.progress = [&](const JobProgress& counts) { caller.tell(counts); };
  job.stop = [&] { return caller.stop(); };
  JobResult result;
  {
    const nb::gil_scoped_release unlocked;
    result = run_embed_job(embedder, job);
  }
  caller.raise();
  nb::dict out = as_dict(result.counts);
  out["rejected_path"] = result.rejected_path;
  out["rows_path"] = result.rows_path;
  return out;
}

}  // namespace

void register_embed_job(nb::module_& module) {
  module.def("embed_file", embed_file, "embedder"_a, "inputs"_a, "output"_a, "progress"_a.none(),
             "options"_a);
}

}  // namespace embedforge::python
