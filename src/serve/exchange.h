// Takes: what a client asks, in the words of no dialect. Gives: what is answered. A dialect turns a
// request into an Exchange: the ask, and how its answer is written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "embedforge/embedder.h"
#include "serve/failure.h"
#include "serve/message.h"
#include "tokenize/tokenizer.h"

namespace embedforge::serve {

/// A text, or token ids of the model's own vocabulary with its special tokens (run as they are).
using Input = std::variant<std::string, std::vector<int32_t>>;

/// What happens to a text that has more tokens than the model takes.
struct Truncation {
  std::optional<bool> allowed;         // nullopt: as --auto-truncate says
  std::optional<TruncationSide> side;  // nullopt: as the tokenizer's files say
  size_t max_tokens = 0;               // a smaller bound than the model's; 0: none
};

struct EmbedAsk {
  std::vector<Input> inputs;
  std::string prompt_name;
  std::optional<std::string> prompt;  // put before each text; wins over prompt_name
  InputType type = InputType::kNone;
  Truncation truncation;
  bool normalize = true;
  size_t dimensions = 0;    // 0: all
  bool each_token = false;  // a vector a token, not pooled, not normalized
  /// One bad input fails alone: Embedded::failed says which. Else it fails the request.
  bool fail_alone = false;
};

/// Pairs, or single texts for a classifier.
struct ScoreAsk {
  std::vector<std::pair<std::string, std::optional<std::string>>> inputs;
  bool raw = false;     // logits, not probabilities
  bool reranks = true;  // needs a cross-encoder with one logit; else any classifier
  Truncation truncation;
};

struct TokenizeAsk {
  std::vector<std::string> texts;
  bool add_special_tokens = true;
  std::string prompt_name;
};

struct DecodeAsk {
  std::vector<std::vector<int32_t>> ids;
  bool skip_special_tokens = true;
};

using Ask = std::variant<Response, EmbedAsk, ScoreAsk, TokenizeAsk, DecodeAsk>;

/// Seconds, of one request: means over its inputs, as text-embeddings-inference counts them.
struct Timing {
  double total = 0, tokenization = 0, queue = 0, inference = 0;
};

struct Embedded {
  Matrix vectors;  // [inputs, d]; with each_token [all tokens, d]
  std::vector<size_t>
      offsets;                 // with each_token: input i has the rows [offsets[i], offsets[i + 1])
  std::vector<size_t> tokens;  // of each input, as they were run
  std::vector<bool> truncated;      // of each input
  std::vector<std::string> failed;  // with fail_alone: why input i has no vector, else ""; or empty
};
struct Scored {
  Matrix
      scores;  // [inputs, labels]: logits with `raw`, else sigmoid of one label, softmax of several
  std::vector<size_t> tokens;
};
struct Tokenized {
  std::vector<Encoding> texts;
  std::vector<std::string> prompted;  // the texts with their prompt, which the offsets count in
};
struct Decoded {
  std::vector<std::string> texts;
};

struct Answer {
  std::variant<Embedded, Scored, Tokenized, Decoded> content;
  Timing timing;
  std::string model;  // the id of the model that answered

  size_t tokens() const;
};

struct Exchange {
  std::string model;  // as the request named it; "": the first one of the server that fits
  Ask ask;
  /// Called once, on any thread, when `ask` is no Response. May throw Failure.
  std::function<Response(const Answer&)> write;
};

}  // namespace embedforge::serve
