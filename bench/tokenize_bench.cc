// Tokenizing speed of one thread, in bytes of text a second.
//
//   EMBEDFORGE_TOKENIZER=tokenizer.json EMBEDFORGE_TEXTS=texts.txt build/tokenize_bench
//
// texts.txt: a text a line. Without the variables: a small WordPiece vocabulary and made-up words.
// bench/tokenize_compare.py runs this beside the `tokenizers` package.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

constexpr const char* kSmall = R"({"model":{"type":"WordPiece","unk_token":"[UNK]",
  "continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"the":1,
  "token":2,"##ize":3,"##s":4,"of":5,"fast":6,"##er":7,"text":8,"a":9,".":10,",":11,"em":12,
  "##bed":13,"##ding":14}},
  "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
    "strip_accents":null,"lowercase":true},
  "pre_tokenizer":{"type":"BertPreTokenizer"}})";

Tokenizer load_tokenizer() {
  const char* path = std::getenv("EMBEDFORGE_TOKENIZER");
  return path != nullptr ? Tokenizer::load(path) : Tokenizer::parse(kSmall, "small");
}

std::vector<std::string> load_texts() {
  std::vector<std::string> texts;
  if (const char* path = std::getenv("EMBEDFORGE_TEXTS"); path != nullptr) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) texts.push_back(line);
  }
  if (texts.empty()) texts.assign(100, "The tokens of a faster text, tokenizes embeddings.");
  return texts;
}

template <class Run>
void measure(benchmark::State& state, Run&& run) {
  static const Tokenizer tokenizer = load_tokenizer();
  static const std::vector<std::string> texts = load_texts();
  size_t bytes = 0;
  size_t tokens = 0;
  for (auto _ : state) {
    for (const std::string& text : texts) {
      tokens += run(tokenizer, text);
      bytes += text.size();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.SetItemsProcessed(static_cast<int64_t>(tokens));
}

void append_ids(benchmark::State& state) {
  std::vector<int32_t> ids;
  measure(state, [&ids](const Tokenizer& tokenizer, const std::string& text) {
    ids.clear();
    tokenizer.append_ids(text, {}, ids);
    return ids.size();
  });
}
BENCHMARK(append_ids);

void encode(benchmark::State& state) {
  measure(state, [](const Tokenizer& tokenizer, const std::string& text) {
    return tokenizer.encode(text).ids.size();
  });
}
BENCHMARK(encode);

}  // namespace
}  // namespace embedforge
