#include "evaluate/sts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "evaluate/similarity.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge::evaluation {
namespace {

using Row = std::vector<std::string>;

/// Takes the next row off `rest`. A tab-separated file has no quotes, as the STS benchmark's has
/// none.
Row next_row(std::string_view& rest, char separator, size_t& line) {
  Row row(1);
  bool quoted = false;
  size_t i = 0;
  for (; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        row.back() += c;
      } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
        row.back() += rest[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && separator == ',' && row.back().empty()) {
      quoted = true;
    } else if (c == separator) {
      row.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      row.back() += c;
    }
  }
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return row;
}

struct Columns {
  size_t left = 0, right = 1, score = 2;
};

bool find(const Row& header, std::initializer_list<std::string_view> names, size_t& column) {
  for (const std::string_view name : names) {
    const auto at = std::find(header.begin(), header.end(), name);
    if (at != header.end()) {
      column = static_cast<size_t>(at - header.begin());
      return true;
    }
  }
  return false;
}

bool number(const std::string& text, double& out) {
  char* end = nullptr;
  out = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(out);
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [values](size_t x, size_t y) { return values[x] < values[y]; });
  std::vector<double> out(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    const double rank = static_cast<double>(i + end - 1) / 2;
    for (; i < end; ++i) out[order[i]] = rank;
  }
  return out;
}

}  // namespace

StsPairs read_sts(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path);
  std::string_view rest(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (find_invalid_utf8(rest) != std::string_view::npos || rest.find('\0') != rest.npos)
    throw_bad_input(path.string() + ": is no text in UTF-8");
  const std::string_view first = rest.substr(0, rest.find('\n'));
  const char separator = first.find('\t') != std::string_view::npos ? '\t' : ',';
  StsPairs out;
  Columns columns;
  size_t line = 0;
  while (!rest.empty()) {
    const size_t at = line + 1;
    Row row = next_row(rest, separator, line);
    if (row.size() == 1 && row[0].empty()) continue;
    if (at == 1 && find(row, {"sentence1"}, columns.left) &&
        find(row, {"sentence2"}, columns.right)) {
      if (!find(row, {"score", "similarity_score", "label"}, columns.score))
        throw_bad_input(path.string() + ": the first line names no column score");
      continue;
    }
    double score = 0;
    if (row.size() <= std::max({columns.left, columns.right, columns.score}) ||
        !number(row[columns.score], score)) {
      throw_bad_input(
          fmt::format("{}: line {}: has no sentence, sentence and score in it", path.string(), at));
    }
    out.left.push_back(std::move(row[columns.left]));
    out.right.push_back(std::move(row[columns.right]));
    out.scores.push_back(score);
  }
  if (out.scores.empty()) throw_bad_input(path.string() + ": has no pairs of sentences");
  return out;
}

double spearman(std::span<const double> x, std::span<const double> y) {
  const size_t n = x.size();
  if (n < 2 || y.size() != n) throw_bad_input("a correlation needs two pairs or more");
  const std::vector<double> a = ranks(x);
  const std::vector<double> b = ranks(y);
  const double middle = static_cast<double>(n - 1) / 2;
  double product = 0;
  double left = 0;
  double right = 0;
  for (size_t i = 0; i < n; ++i) {
    product += (a[i] - middle) * (b[i] - middle);
    left += (a[i] - middle) * (a[i] - middle);
    right += (b[i] - middle) * (b[i] - middle);
  }
  if (left == 0 || right == 0)
    throw_bad_input("all scores, or all cosines, are equal: they have no correlation");
  return product / std::sqrt(left * right);
}

double sts_spearman(const Matrix& left, const Matrix& right, std::span<const double> scores) {
  return spearman(row_cosines(left, right), scores);
}

}  // namespace embedforge::evaluation
