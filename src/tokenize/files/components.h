// The parts of a tokenizer as values, and the reader that makes them from a tokenizer.json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenize/models/bpe.h"
#include "tokenize/models/unigram.h"
#include "tokenize/models/word_level.h"
#include "tokenize/models/wordpiece.h"
#include "tokenize/normalize/normalizers.h"
#include "tokenize/post/decoders.h"
#include "tokenize/post/post_processors.h"
#include "tokenize/split/added_tokens.h"
#include "tokenize/split/pre_tokenizers.h"

namespace embedforge {

using Model = std::variant<WordPiece, Bpe, Unigram, WordLevel>;

struct TokenizerParts {
  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> pre_tokenizers;
  std::unique_ptr<Model> model;
  std::vector<PostProcessor> post_processors;
  std::vector<Decoder> decoders;
  bool has_decoder = false;              // none: tokens are joined by a space
  std::vector<AddedToken> added_tokens;  // with the ids that they get
  bool cuts_left = false;                // a text that is too long loses its start
  bool gives_types = true;               // false: every type is 0
};

/// Errors: kBadInput with the file and the field; kNotSupported with the type of an unknown
/// component.
TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file);

const Vocabulary& vocabulary(const Model& model);

class JsonField;
void read_normalizer(const JsonField& field, std::vector<Normalizer>& out);
void read_pre_tokenizer(const JsonField& field, std::vector<PreTokenizer>& out);
void read_post_processor(const JsonField& field, std::vector<PostProcessor>& out);
void read_decoder(const JsonField& field, std::vector<Decoder>& out);
std::unique_ptr<Model> read_model(const JsonField& field);

/// The `type` of a component. Errors: kBadInput without one.
std::string component_type(const JsonField& field);
[[noreturn]] void unknown_component(const JsonField& field, const std::string& type);

}  // namespace embedforge
