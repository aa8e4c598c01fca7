// transformers 5 builds the tokenizers of most classes anew: from tokenizer.json they take the
// vocabulary and the added tokens, the rest is the class's own and the settings'.
#pragma once

#include <string>
#include <string_view>

#include "tokenize/files/components.h"
#include "tokenize/files/settings.h"

namespace embedforge {

/// The class that transformers makes for the settings' names; "" for one that takes tokenizer.json
/// as it is. `byte_level`: tokenizer.json splits into bytes' characters. Errors: kNotSupported with
/// `file` for a class that is another program.
std::string resolve_class(const std::string& named, const std::string& model_type, bool remote_code,
                          const std::string& file);

/// What the class and the settings make of a tokenizer.json's parts, or of a vocabulary's. Errors:
/// kNotSupported for a class that can't be made of these parts.
void apply_settings(const TokenizerSettings& settings, bool from_json, TokenizerParts& parts);

}  // namespace embedforge
