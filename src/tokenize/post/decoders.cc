#include "tokenize/post/decoders.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "tokenize/split/byte_level.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  if (from.empty()) return text;
  std::string out;
  size_t done = 0;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done).append(to);
    done = at + from.size();
  }
  if (done == 0) return text;
  return out.append(text, done, std::string::npos);
}

std::string clean_up(std::string text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = replace_all(std::move(text), from, to);
  return text;
}

std::string join(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

/// <0x41>: the byte; two hexadecimal digits, or + and one.
std::optional<char> named_byte(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (size_t i = 3; i < 5; ++i) {
    const char c = token[i];
    if (i == 3 && c == '+') continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

std::string strip(const std::string& token, const StripDecoder& decoder) {
  std::vector<char32_t> characters;
  for (const char* p = token.data(); p < token.data() + token.size();) {
    characters.push_back(decode_utf8(p));
  }
  const size_t size = characters.size();
  size_t begin = 0;
  while (begin < std::min(size, decoder.start) && characters[begin] == decoder.content) ++begin;
  size_t end = size;
  while (end > 0 && size - end < decoder.stop && characters[end - 1] == decoder.content) --end;
  std::string out;
  for (size_t i = begin; i < end; ++i) append_utf8(characters[i], out);
  return out;
}

struct ApplyDecoder {
  std::vector<std::string>& tokens;

  void operator()(const WordPieceDecoder& decoder) const {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i != 0) {
        if (tokens[i].starts_with(decoder.prefix)) {
          tokens[i].erase(0, decoder.prefix.size());
        } else {
          tokens[i].insert(0, 1, ' ');
        }
      }
      if (decoder.cleanup) tokens[i] = clean_up(std::move(tokens[i]));
    }
  }

  void operator()(const BpeDecoder& decoder) const {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] =
          replace_all(std::move(tokens[i]), decoder.suffix, i + 1 == tokens.size() ? "" : " ");
    }
  }

  void operator()(const ByteLevelDecoder&) const {
    std::string bytes;
    for (const std::string& token : tokens) {
      std::string part;
      const char* p = token.data();
      const char* const end = p + token.size();
      bool known = true;
      while (known && p < end) {
        const int byte = byte_of_character(decode_utf8(p));
        known = byte >= 0;
        part.push_back(static_cast<char>(byte));
      }
      bytes += known ? part : token;
    }
    tokens.assign(1, replace_invalid_utf8(bytes));
  }

  void operator()(const MetaspaceDecoder& decoder) const {
    std::string mark;
    append_utf8(decoder.replacement, mark);
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(std::move(tokens[i]), mark, i == 0 && decoder.strip_first ? "" : " ");
    }
  }

  void operator()(const ReplaceDecoder& decoder) const {
    std::vector<Run> runs;
    for (std::string& token : tokens) {
      runs.clear();
      decoder.pattern.find(token, 0, runs);
      std::string out;
      for (const Run& run : runs) {
        if (run.match) {
          out += decoder.content;
        } else {
          out.append(token, run.begin, run.end - run.begin);
        }
      }
      if (!token.empty()) token = std::move(out);
    }
  }

  void operator()(const FuseDecoder&) const { tokens.assign(1, join(tokens)); }

  void operator()(const StripDecoder& decoder) const {
    for (std::string& token : tokens) token = strip(token, decoder);
  }

  void operator()(const ByteFallbackDecoder&) const {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (find_invalid_utf8(bytes) == std::string_view::npos) {
        out.push_back(bytes);
      } else {
        out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = named_byte(token)) {
        bytes.push_back(*byte);
      } else {
        flush();
        out.push_back(std::move(token));
      }
    }
    flush();
    tokens = std::move(out);
  }

  void operator()(const CtcDecoder& decoder) const {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      token = replace_all(std::move(token), decoder.pad_token, "");
      if (decoder.cleanup) {
        token = replace_all(clean_up(std::move(token)), decoder.word_delimiter, " ");
      }
    }
    std::erase(tokens, "");
  }
};

}  // namespace

std::string decode_tokens(const std::vector<Decoder>& steps, std::vector<std::string> tokens) {
  for (const Decoder& step : steps) std::visit(ApplyDecoder{tokens}, step);
  return join(tokens);
}

}  // namespace embedforge
