#include "tokenize/decoders.h"

#include <string_view>
#include <utility>

namespace embedforge {
namespace {

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
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

struct Apply {
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
};

}  // namespace

std::string decode_tokens(const std::vector<Decoder>& steps, std::vector<std::string> tokens) {
  for (const Decoder& step : steps) std::visit(Apply{tokens}, step);
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

}  // namespace embedforge
