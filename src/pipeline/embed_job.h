// Takes: files of texts and a model. Gives: a file of vectors, whole, or as much of it as the next
// run needs to go on. Never: holds more than a few blocks of texts, whatever the size of the files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "embedforge/embedder.h"
#include "pipeline/row_source.h"

namespace embedforge {

struct JobProgress {
  uint64_t texts = 0;                   // records read and written, those of earlier runs included
  uint64_t rows = 0;                    // vectors: more than texts where they are cut into pieces
  uint64_t rejected = 0;                // records
  uint64_t repeated = 0;                // texts of this run that were encoded before
  uint64_t bytes = 0, total_bytes = 0;  // of the inputs; total 0: not known
  uint64_t resumed_rows = 0;            // of earlier runs
  double seconds = 0;                   // of this run
};

struct JobOptions {
  std::vector<std::string> inputs;       // files, patterns, "-"
  std::string input_format;              // "": as the files are called
  std::vector<std::string> input_names;  // shown instead of `inputs`, one for each; none: these
  std::string of_inputs;                 // what else tells that the inputs are still the same
  std::string output;                    // .npy, .jsonl, .raw
  ReadOptions read;
  size_t chunk_tokens = 0;  // of a piece of a text, each with a row of its own; 0: one row, cut
  size_t overlap = 0;       // tokens that a piece shares with the one before
  EncodeOptions encode;
  VectorType type = VectorType::kFloat32;
  std::string ranges;       // of kInt8 and kUint8: a .npy file
  bool with_text = false;   // in the rows of .jsonl, else of OUTPUT.rows.jsonl
  bool write_rows = false;  // OUTPUT.rows.jsonl also without an id field
  bool resume = false, overwrite = false;
  bool keep_journal = false;  // of a finished run: one with `resume` finds it finished
  bool strict = false;        // the first bad record is an error
  std::string model;          // as the user named it, for models without a file
  std::string model_flags;    // what else decides about the vectors
  std::function<void(const JobProgress&)> progress;  // on the caller's thread
  std::function<bool()> stop;  // asked on the caller's thread, a few times a second
};

struct JobResult {
  JobProgress counts;
  bool stopped = false;                  // by stop(); --resume goes on
  std::string rejected_path, rows_path;  // "" where they weren't made
};

/// Writes OUTPUT; beside it OUTPUT.rows.jsonl (a line for each row: its id, file, line, and the
/// piece's begin and end in characters), where ids or pieces were asked for and OUTPUT isn't
/// .jsonl; OUTPUT.rejected.jsonl (file, line and reason of records without a text), where there are
/// any. Until all is written the files are called *.partial and OUTPUT.journal lies beside them:
/// whatever ends the run, one with `resume` goes on, and the result is the same to the byte.
/// Errors: kUsage for options that contradict; kBadInput for an output that exists (unless
/// `overwrite`), a journal without `resume`, a journal of another job, an output that another run
/// has, and whatever can't be read or written.
JobResult run_embed_job(const Embedder& embedder, const JobOptions& options);

}  // namespace embedforge
