// Takes: what was asked of a model. Gives: the tokens to run, and what became of each input on the
// way. Never: runs the model. On any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "serve/exchange.h"
#include "serve/models.h"

namespace embedforge::serve {

struct Prepared {
  TokenizedTexts tokens;
  std::vector<bool> truncated;      // of each input
  std::vector<std::string> failed;  // why, with EmbedAsk::fail_alone; "" where it has its tokens
  size_t characters = 0;            // bytes of the texts
};

/// Inputs [begin, end). Errors: Failure kValidation for a text that may not be cut and is too long,
/// kUsage for ids that the vocabulary lacks, an unknown prompt or a text that is no UTF-8.
Prepared prepare(const ServedModel& model, const EmbedAsk& ask, const Settings& settings,
                 size_t begin, size_t end);
Prepared prepare(const ServedModel& model, const ScoreAsk& ask, const Settings& settings,
                 size_t begin, size_t end);

Tokenized tokenize(const ServedModel& model, const TokenizeAsk& ask, const Settings& settings);
Decoded decode(const ServedModel& model, const DecodeAsk& ask);

}  // namespace embedforge::serve
