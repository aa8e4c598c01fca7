// Takes: the parts of a request, as they came back from the engine. Gives: the content of its
// answer. Never: waits.
#pragma once

#include <memory>
#include <span>

#include "serve/exchange.h"
#include "serve/models.h"
#include "serve/prepare.h"
#include "serve/queue.h"

namespace embedforge::serve {

/// Tokens of some of a request's inputs, on their way through the queue.
struct RequestPart {
  size_t begin = 0;  // input
  Prepared prepared;
  std::shared_ptr<Work> work;
  double tokenization = 0;
};

/// Errors: Failure kModel for what is not finite.
Embedded embedded_of(std::span<const RequestPart> parts, const ServedModel& served,
                     const EmbedAsk& ask);
Scored scored_of(std::span<const RequestPart> parts, const ServedModel& served,
                 const ScoreAsk& ask);
/// All but the total.
Timing timing_of(std::span<const RequestPart> parts);

}  // namespace embedforge::serve
