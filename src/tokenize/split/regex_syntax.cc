// From Oniguruma's Ruby syntax to PCRE2's: https://github.com/kkos/oniguruma/blob/master/doc/RE and
// pcre2pattern(3).
#include <fmt/format.h>

#include "embedforge/error.h"
#include "tokenize/split/pattern.h"

namespace embedforge {
namespace {

// The word characters of Oniguruma: alphabetic, marks, decimal digits, connectors, and Latin-1's
// small digits. PCRE2's own are letters, numbers and the underscore.
constexpr const char* kWordSet =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

class Translator {
 public:
  Translator(const std::string& in, const std::string& where) : in_(in), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) step();
    return std::move(out_);
  }

 private:
  bool looking_at(std::string_view text) const { return in_.compare(at_, text.size(), text) == 0; }

  [[noreturn]] void not_supported(const std::string& what) const {
    throw_not_supported(fmt::format("{} has {}, which is not supported", where_, what));
  }

  void copy(size_t count) {
    out_.append(in_, at_, count);
    at_ += count;
  }

  void step() {
    const char c = in_[at_];
    if (c == '\\') {
      escape();
    } else if (c == '[') {
      in_class_ ? posix_class() : open_class();
    } else if (in_class_) {
      if (looking_at("&&")) not_supported("an intersection of classes, &&");
      in_class_ = c != ']';
      copy(1);
    } else if (looking_at("(?")) {
      flags();
    } else if (c == '{') {
      interval();
    } else {
      copy(1);
    }
  }

  /// A closing bracket that comes first stands for itself.
  void open_class() {
    in_class_ = true;
    copy(1);
    if (looking_at("^")) copy(1);
    if (looking_at("]")) copy(1);
  }

  /// [:punct:] and its like, inside of a class. Symbols are punctuation here.
  void posix_class() {
    const size_t end = looking_at("[:") ? in_.find(":]", at_) : std::string::npos;
    if (end == std::string::npos) not_supported("a class inside of a class");
    const std::string name = in_.substr(at_ + 2, end - at_ - 2);
    if (name == "punct" || name == "word") {
      out_ += name == "word" ? kWordSet : R"(\p{P}\p{S})";
      at_ = end + 2;
    } else if (name == "digit" || name == "space" || name == "xdigit" || name == "cntrl") {
      copy(end + 2 - at_);
    } else {
      not_supported("[:" + name + ":]");
    }
  }

  void escape() {
    if (at_ + 1 >= in_.size()) return copy(1);
    const char next = in_[at_ + 1];
    std::string text;
    switch (next) {
      case 'h':
        text = in_class_ ? "0-9a-fA-F" : "[0-9a-fA-F]";
        break;
      case 'w':
        text = in_class_ ? kWordSet : fmt::format("[{}]", kWordSet);
        break;
      case 'H':
      case 'W':
        if (in_class_) not_supported(fmt::format("\\{} inside of a class", next));
        text = fmt::format("[^{}]", next == 'H' ? "0-9a-fA-F" : kWordSet);
        break;
      case 'b':
        if (in_class_) return copy(2);
        text = fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWordSet);
        break;
      case 'B':
        text = fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWordSet);
        break;
      default:
        return copy(2);
    }
    out_ += text;
    at_ += 2;
  }

  /// (?imx-imx) and (?imx-imx: ...): m becomes s.
  void flags() {
    copy(2);
    size_t end = at_;
    while (end < in_.size() &&
           (in_[end] == 'i' || in_[end] == 'm' || in_[end] == 'x' || in_[end] == '-')) {
      ++end;
    }
    if (end == at_ || end >= in_.size() || (in_[end] != ')' && in_[end] != ':')) return;
    for (; at_ < end; ++at_) out_ += in_[at_] == 'm' ? 's' : in_[at_];
  }

  /// x{n,m}+ is (?:x{n,m})+ here: any number from n on for n of 0 or 1.
  void interval() {
    const size_t end = in_.find('}', at_);
    if (end == std::string::npos || end + 1 >= in_.size() || in_[end + 1] != '+') return copy(1);
    const std::string body = in_.substr(at_ + 1, end - at_ - 1);
    const bool digits = !body.empty() && body.find_first_not_of("0123456789,") == std::string::npos;
    if (!digits) return copy(1);
    if (body == "1" || body.starts_with("1,") || body.starts_with("0,") || body.starts_with(',')) {
      out_ += body[0] == '1' ? "{1,}" : "{0,}";
      at_ = end + 2;
      return;
    }
    not_supported(fmt::format("a repeated interval, {{{}}}+", body));
  }

  const std::string& in_;
  const std::string& where_;
  std::string out_;
  size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string translate_regex(const std::string& expression, const std::string& where) {
  return Translator(expression, where).run();
}

}  // namespace embedforge
