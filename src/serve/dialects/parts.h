// What several dialects share in reading asks and writing answers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embedforge/vectors.h"
#include "serve/catalog.h"
#include "serve/exchange.h"
#include "serve/json_body.h"

namespace embedforge::serve {

using Entry = std::shared_ptr<const ModelEntry>;

// Reading

/// Errors: Failure kEmpty for none, kValidation for more than --max-client-batch-size.
void check_batch(size_t inputs, const std::string& field, const Settings& settings);
/// Errors: Failure kEmpty.
void check_text(std::string_view text, const std::string& field);
/// 0 for nullopt. Errors: Failure kValidation for 0 and for more than the model has.
size_t checked_dimensions(std::optional<size_t> dimensions, const std::string& field,
                          const ModelEntry& entry);
/// A list of token ids below the model's vocabulary size. Errors: Failure kValidation.
std::vector<int32_t> take_ids(const Json& list, const std::string& field, const ModelEntry& entry);
/// What a provider's word says that texts are for: Voyage's query and document, Cohere's
/// search_query and search_document, Jina's retrieval.query and retrieval.passage, … A prompt of
/// that very name wins. Errors: Failure kValidation for a word that nobody uses.
void set_purpose(EmbedAsk& ask, const std::string& word, const std::string& field,
                 const ModelEntry& entry);
/// "text", or the text of an object {"text": …}. Errors: Failure kValidation.
std::string take_text_or_object(Json& value, const std::string& field);

// How vectors are written

struct VectorForm {
  VectorType type = VectorType::kFloat32;
  bool base64 = false;
};

/// "float" or "float32", "int8", "uint8", "binary", "ubinary"; nullopt: another word.
std::optional<VectorType> vector_type_of_word(std::string_view word);

/// An int8 times this is the value of a vector of length 1 with so many dimensions, which ±8 times
/// its root mean square has to hold: 8 / (127 sqrt(dimensions)). Nothing of it depends on other
/// vectors. uint8 is that plus 128.
double int8_scale(size_t dimensions);

/// Errors: Failure kModel for NaN.
void append_vector(std::string& out, std::span<const float> vector, VectorForm form);

// Answering

Response answer(std::string body);
/// Says in x-embedforge-truncated how many texts were cut, if any were.
Response answer(std::string body, const Embedded& embedded);
Response fail_with(int status, std::string body);
/// Indexes of scores, best first; equal ones in their order. At most `top`; 0: all.
std::vector<size_t> best_first(std::span<const float> scores, size_t top);
/// --served-model-name for the first model, else the model's id.
std::string public_name(const ModelEntry& entry, const Catalog& catalog);
/// The first alias, else the id's last part: what has no slash.
std::string short_name(const ModelEntry& entry);

}  // namespace embedforge::serve
