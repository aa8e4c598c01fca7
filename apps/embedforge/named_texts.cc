#include "named_texts.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/child_process.h"
#include "embedforge/error.h"
#include "pipeline/text_source.h"

namespace embedforge::app {
namespace {

constexpr size_t kSentences = 1000;
constexpr size_t kMostTexts = 100'000;
constexpr size_t kMostBytes = size_t{64} << 20U;

/// The lengths are log-normal with about 60 words in the middle; the seed is fixed.
constexpr const char* kPassages = R"(
import json, pydoc_data.topics as topics, random, re
draw = random.Random(7)
words = re.sub(r"\s+", " ", " ".join(topics.topics.values())).split(" ")
texts, at = [], 0
while len(texts) < 400:
    count = int(min(400, max(5, draw.lognormvariate(4.1, 0.8))))
    if at + count > len(words):
        at = draw.randrange(500)
    texts.append(" ".join(words[at : at + count]))
    at += count
print(json.dumps(texts))
)";

std::vector<std::string> passages() {
  try {
    ChildProcess python({{default_python(), "-c", kPassages}, {}});
    return nlohmann::json::parse(python.read_line().value_or("")).get<std::vector<std::string>>();
  } catch (const std::exception&) {
    throw_not_supported("passages: they come with Python, and " + default_python() +
                        " does not run; install python3, or name a file of texts");
  }
}

[[noreturn]] void too_large(const std::string& path) {
  throw_bad_input(fmt::format(
      "{}: more than {} texts or {} MB; take a part of it: shuf -n 1000 {} > sample.txt", path,
      kMostTexts, kMostBytes >> 20U, path));
}

std::vector<std::string> file_texts(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown))
    throw_bad_input(path + ": is no file; name one with a text a line, or sentences or passages");
  if (std::filesystem::file_size(path, unknown) > kMostBytes) too_large(path);
  TextSource source({}, path);
  std::vector<std::string> out;
  for (std::vector<std::string> block = source.next(); !block.empty(); block = source.next()) {
    for (std::string& text : block) {
      if (text.find('\0') != std::string::npos) {
        throw_bad_input(fmt::format("{}: line {}: has a zero byte; a text a line is expected", path,
                                    out.size() + 1));
      }
      out.push_back(std::move(text));
      if (out.size() > kMostTexts) too_large(path);
    }
  }
  if (out.empty()) throw_bad_input(path + ": has no texts; give one a line");
  return out;
}

}  // namespace

std::string default_python() {
  const char* named = std::getenv("EMBEDFORGE_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

std::vector<std::string> named_texts(const std::string& name) {
  if (name == "passages") return passages();
  if (name != "sentences") return file_texts(name);
  std::vector<std::string> out;
  out.reserve(kSentences);
  for (size_t i = 0; i < kSentences; ++i)
    out.push_back(fmt::format("Sample document number {} with some content.", i));
  return out;
}

}  // namespace embedforge::app
