#include "tokenize/split/pattern.h"

#include <fmt/format.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "embedforge/error.h"
#include "tokenize/unicode/unicode.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

constexpr uint32_t kMatchLimit = 50'000'000;
constexpr uint32_t kHeapLimit = 256 * 1024;  // KiB

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using Data = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;

/// PCRE2 may be older than the Unicode that the reference's expressions know. Copies `text` with
/// the younger characters replaced by old ones of the same general category and length; false when
/// there is none.
bool replace_recent(std::string_view text, std::string& out) {
  const char* p = text.data();
  const char* const end = p + text.size();
  bool found = false;
  while (p < end) {
    const char* const begin = p;
    const char32_t c = decode_utf8(p);
    if (!is_unicode(c, kIsRecent)) continue;
    if (!found) out.assign(text);
    found = true;
    encode_utf8(recent_substitute(c), out.data() + (begin - text.data()));
  }
  return found;
}

}  // namespace

struct Pattern::Regex {
  Code code;
  MatchContext context;
  std::string where;
  bool empty = false;
};

Pattern Pattern::literal(std::string text) {
  if (text.empty()) return regex("", "an empty pattern");
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  const std::string translated = translate_regex(expression, where);
  auto regex = std::make_shared<Regex>();
  regex->where = where;
  const CompileContext compile(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(compile.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(compile.get(), 100);
  int error = 0;
  PCRE2_SIZE at = 0;
  regex->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                  translated.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                  &error, &at, compile.get()));
  if (!regex->code) {
    unsigned char message[160] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    throw_bad_input(fmt::format("{} is not a regular expression: {} at byte {}", where,
                                reinterpret_cast<const char*>(message), at));
  }
  pcre2_jit_compile(regex->code.get(), PCRE2_JIT_COMPLETE);  // without it pcre2_match interprets
  regex->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(regex->context.get(), kMatchLimit);
  pcre2_set_heap_limit(regex->context.get(), kHeapLimit);
  uint32_t empty = 0;
  pcre2_pattern_info(regex->code.get(), PCRE2_INFO_MATCHEMPTY, &empty);
  regex->empty = empty != 0;
  Pattern pattern;
  pattern.regex_ = std::move(regex);
  return pattern;
}

bool Pattern::matches_empty() const { return regex_ && regex_->empty; }

void Pattern::find_literal(std::string_view text, uint32_t shift, std::vector<Run>& runs) const {
  const auto size = static_cast<uint32_t>(literal_.size());
  uint32_t done = 0;
  for (size_t at = text.find(literal_); at != std::string_view::npos;
       at = text.find(literal_, done)) {
    const auto begin = static_cast<uint32_t>(at);
    if (done < begin) runs.push_back({shift + done, shift + begin, false});
    done = begin + size;
    runs.push_back({shift + begin, shift + done, true});
  }
  const auto end = static_cast<uint32_t>(text.size());
  if (done < end) runs.push_back({shift + done, shift + end, false});
}

void Pattern::find(std::string_view text, uint32_t shift, std::vector<Run>& runs) const {
  if (!regex_) return find_literal(text, shift, runs);
  std::string known;
  if (text.size() != ascii_prefix(text) && replace_recent(text, known)) text = known;
  const Data data(pcre2_match_data_create_from_pattern(regex_->code.get(), nullptr));
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t from = 0;
  size_t done = 0;
  bool any = false;
  while (from <= text.size()) {
    int result = pcre2_match(regex_->code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                             data.get(), regex_->context.get());
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      result = pcre2_match(regex_->code.get(), subject, text.size(), from,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data.get(), regex_->context.get());
    }
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      throw_not_supported(regex_->where +
                          " takes too many steps on this text: simplify the expression");
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    const size_t begin = bounds[0];
    const size_t end = bounds[1];
    if (begin > end || begin < done || (begin == end && any && end == done)) {
      // An empty match at the end of the one before does not count: look on behind the next
      // character.
      if (from >= text.size()) break;
      from += utf8_length(static_cast<uint8_t>(text[from]));
      continue;
    }
    const auto at = [shift](size_t byte) { return shift + static_cast<uint32_t>(byte); };
    if (done < begin) runs.push_back({at(done), at(begin), false});
    runs.push_back({at(begin), at(end), true});
    from = done = end;
    any = true;
  }
  const size_t end = text.size();
  if (done < end) {
    runs.push_back(
        {shift + static_cast<uint32_t>(done), shift + static_cast<uint32_t>(end), false});
  }
}

}  // namespace embedforge
