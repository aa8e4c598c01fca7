// Takes: the encodings of one or two sequences. Gives: one encoding with the special tokens. Never:
// truncates.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tokenize/tokenizer.h"

namespace embedforge {

struct TemplatePiece {
  enum class Kind { kFirst, kSecond, kSpecial };
  Kind kind = Kind::kSpecial;
  int32_t type_id = 0;
  std::vector<int32_t> ids;  // of a special token; one name may stand for several ids
  std::vector<std::string> tokens;
};

struct TemplateProcessor {
  std::vector<TemplatePiece> single;
  std::vector<TemplatePiece> pair;
};

struct SpecialToken {
  std::string text;
  int32_t id = 0;
};

struct BertProcessor {
  SpecialToken sep;
  SpecialToken cls;
};

struct RobertaProcessor {
  SpecialToken sep;
  SpecialToken cls;
  bool trim_offsets = true;
  bool add_prefix_space = true;
};

struct ByteLevelProcessor {
  bool trim_offsets = true;
  bool add_prefix_space = true;
};

using PostProcessor =
    std::variant<TemplateProcessor, BertProcessor, RobertaProcessor, ByteLevelProcessor>;

/// Special tokens that the steps add to one sequence or to a pair.
size_t added_token_count(const std::vector<PostProcessor>& steps, bool pair);

/// `sequences`: one or two. Errors: kNotSupported for a template after a step that already gave
/// more than two encodings.
Encoding post_process(const std::vector<PostProcessor>& steps, std::vector<Encoding> sequences,
                      bool add_special_tokens);

/// Appends `tail` to `head`.
void append_encoding(Encoding& head, const Encoding& tail);

/// Takes the white space at a byte-level token's ends out of its offsets.
void trim_offsets(Encoding& encoding, bool add_prefix_space);

}  // namespace embedforge
