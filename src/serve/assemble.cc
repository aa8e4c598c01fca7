#include "serve/assemble.h"

#include <algorithm>
#include <cmath>

#include "embed/encode_plan.h"

namespace embedforge::serve {
namespace {

void require_finite(Embedded& embedded, bool fail_alone) {
  Matrix& vectors = embedded.vectors;
  for (size_t i = 0; i < vectors.rows; ++i) {
    const std::span<const float> row = vectors.row(i);
    if (std::ranges::all_of(row, [](float v) { return std::isfinite(v); })) continue;
    const std::string why = "the vector of input " + std::to_string(i) + " is not finite";
    if (!fail_alone) throw Failure(FailureKind::kModel, why);
    embedded.failed[i] = why;
    std::ranges::fill(vectors.row(i), 0.0F);
  }
}

/// Logits become probabilities: of one label by the sigmoid, of several by the softmax.
void to_probabilities(std::span<float> logits) {
  if (logits.size() == 1) {
    logits[0] = 1 / (1 + std::exp(-logits[0]));
    return;
  }
  const float most = std::ranges::max(logits);
  float sum = 0;
  for (float& v : logits) sum += v = std::exp(v - most);
  for (float& v : logits) v /= sum;
}

}  // namespace

Embedded embedded_of(std::span<const RequestPart> parts, const ServedModel& served,
                     const EmbedAsk& ask) {
  Embedded out;
  if (ask.each_token) out.offsets.push_back(0);
  for (const RequestPart& part : parts) {
    const Work& work = *part.work;
    out.vectors.columns = work.rows.columns;
    out.vectors.rows += work.rows.rows;
    out.vectors.values.insert(out.vectors.values.end(), work.rows.values.begin(),
                              work.rows.values.end());
    const TokenBatch tokens = work.tokens.batch();
    for (size_t i = 0; i < tokens.sequences(); ++i) {
      out.tokens.push_back(tokens.length(i));
      if (ask.each_token) out.offsets.push_back(out.offsets.back() + tokens.length(i));
    }
    out.truncated.insert(out.truncated.end(), part.prepared.truncated.begin(),
                         part.prepared.truncated.end());
    out.failed.insert(out.failed.end(), part.prepared.failed.begin(), part.prepared.failed.end());
  }
  require_finite(out, ask.fail_alone && !ask.each_token);
  if (ask.each_token) return out;
  EncodeOptions options;
  options.dimensions = ask.dimensions;
  options.normalize = ask.normalize;
  const LocalModel& model = *served.model;
  finish_of(&model.text().config, model.info().dimension, options).apply(out.vectors);
  return out;
}

Scored scored_of(std::span<const RequestPart> parts, const ServedModel& served,
                 const ScoreAsk& ask) {
  Scored out;
  for (const RequestPart& part : parts) {
    const Matrix& rows = part.work->rows;
    out.scores.columns = rows.columns;
    out.scores.rows += rows.rows;
    out.scores.values.insert(out.scores.values.end(), rows.values.begin(), rows.values.end());
    const TokenBatch tokens = part.work->tokens.batch();
    for (size_t i = 0; i < tokens.sequences(); ++i) out.tokens.push_back(tokens.length(i));
  }
  if (!std::ranges::all_of(out.scores.values, [](float v) { return std::isfinite(v); }))
    throw Failure(FailureKind::kModel, "score is NaN");
  const bool sigmoid = served.model->text().config.sigmoid || out.scores.columns > 1;
  for (size_t i = 0; !ask.raw && sigmoid && i < out.scores.rows; ++i)
    to_probabilities(out.scores.row(i));
  return out;
}

Timing timing_of(std::span<const RequestPart> parts) {
  Timing timing;
  const auto count = static_cast<double>(std::max<size_t>(parts.size(), 1));
  for (const RequestPart& part : parts) {
    timing.tokenization += part.tokenization / count;
    timing.queue += part.work->queue_seconds / count;
    timing.inference += part.work->run_seconds / count;
  }
  return timing;
}

}  // namespace embedforge::serve
