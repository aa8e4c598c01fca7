// What the files of the dialect of text-embeddings-inference share.
// https://huggingface.github.io/text-embeddings-inference
#pragma once

#include <string>

#include "serve/dialects/dialects.h"
#include "serve/dialects/parts.h"
#include "serve/json_writer.h"

namespace embedforge::serve::tei {

/// `truncate` and `truncation_direction`.
Truncation take_truncation(const Fields& fields);
Exchange take_embed(const Fields& fields, const Catalog& catalog);
Exchange take_similarity(const Fields& fields, const Catalog& catalog);
Exchange take_rerank(const Fields& fields, const Catalog& catalog);
Exchange take_predict(const Fields& fields, const Catalog& catalog);

/// [[…],[…]]: rows begin to end - 1.
void append_rows(std::string& out, const Matrix& vectors, size_t begin, size_t end);
/// [{"index":…,"score":…}], best first; `texts`: empty, or what "text" shows.
void append_ranks(std::string& out, std::span<const float> scores,
                  std::span<const std::string> texts, size_t top);
/// [{"score":…,"label":…}], best first.
void append_labels(std::string& out, std::span<const float> scores, const ModelEntry& entry);
/// {"error":…,"error_type":…}
OrderedJson error_body(const Failure& failure);
/// Its word for a kind of failure.
std::string_view error_type(FailureKind kind);

}  // namespace embedforge::serve::tei
