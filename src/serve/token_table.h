// Takes: a table of a foreign tokenizer (tiktoken's files: "BASE64 NUMBER" a line). Gives: the text
// of its token ids. Never: makes ids of texts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace embedforge::serve {

using TokenTable = std::map<int32_t, std::string>;  // id -> bytes

/// Errors: Error kBadInput with file and line: no such file, more than 64 MiB, a line of another
/// form, a token of more than 4 KiB, an id that is there twice.
std::shared_ptr<const TokenTable> read_token_table(const std::filesystem::path& file);
/// The same from the file's text; `name` stands for the file in messages.
TokenTable parse_token_table(std::string_view text, const std::string& name);

/// Their bytes one after another; what isn't UTF-8 (a character that is cut at an end) becomes
/// U+FFFD. Errors: Failure kValidation with the id that the table hasn't.
std::string decode_foreign(const TokenTable& table, std::span<const int32_t> ids,
                           const std::string& field);

}  // namespace embedforge::serve
