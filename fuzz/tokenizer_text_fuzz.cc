// Any bytes as text: ids and offsets of every kind of tokenizer agree with each other and stay
// inside the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "embedforge/error.h"
#include "tokenize/tokenizer.h"
#include "tokenize/unicode/utf8.h"

namespace {

using embedforge::Tokenizer;

constexpr const char* kBert = R"({"model":{"type":"WordPiece","unk_token":"[UNK]",
  "continuing_subword_prefix":"##","max_input_chars_per_word":12,
  "vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"##a":4,"b":5,"ab":6,"##ab":7,"aab":8,",":9,"\u4e2d":10,"e":11}},
  "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
  "pre_tokenizer":{"type":"BertPreTokenizer"},
  "post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},
  "added_tokens":[{"id":2,"content":"[SEP]","normalized":false,"special":true,"lstrip":true,"rstrip":true}]})";

constexpr const char* kBpe =
    R"({"model":{"type":"BPE","unk_token":"u","fuse_unk":true,"byte_fallback":true,
  "vocab":{"u":0,"a":1,"b":2,"ab":3,"aa":4,"aaaa":5,"\u0120":6,"\u0120a":7,"\u00c3":8},
  "merges":["a b","a a","aa aa","\u0120 a"]},
  "normalizer":{"type":"NFC"},
  "pre_tokenizer":{"type":"Sequence","pretokenizers":[
    {"type":"Split","pattern":{"Regex":"(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
     "behavior":"Isolated","invert":false},
    {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]},
  "post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true}})";

constexpr const char* kUnigram = R"({"model":{"type":"Unigram","unk_id":0,"byte_fallback":false,
  "vocab":[["u",0],["\u2581",-2],["a",-1],["\u2581a",-1.5],["aa",-1.7],["aaa",-2],["\u00e9",-3]]},
  "normalizer":{"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"NFKC"},{"type":"Strip","strip_left":true,"strip_right":true},
    {"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Lowercase"}]},
  "pre_tokenizer":{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":true}})";

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Tokenizer& tokenizer, const std::string& text, size_t characters) {
  const embedforge::Encoding encoding = tokenizer.encode(text);
  std::vector<int32_t> ids;
  tokenizer.append_ids(text, {}, ids);
  require(ids == encoding.ids);
  for (const auto& [begin, end] : encoding.offsets) require(begin <= end && end <= characters);
  std::vector<int32_t> cut;
  tokenizer.append_ids(text, {.max_length = 5}, cut);
  require(cut.size() <= 5);
  (void)tokenizer.decode(ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Tokenizer tokenizers[] = {Tokenizer::parse(kBert, "bert"),
                                         Tokenizer::parse(kBpe, "bpe"),
                                         Tokenizer::parse(kUnigram, "unigram")};
  const std::string raw(reinterpret_cast<const char*>(data), size);
  std::vector<int32_t> ids;
  bool refused = false;
  try {
    tokenizers[0].append_ids(raw, {}, ids);
  } catch (const embedforge::Error&) {
    refused = true;
  }
  require(refused == (embedforge::find_invalid_utf8(raw) != std::string_view::npos));
  const std::string text = embedforge::replace_invalid_utf8(raw);
  const size_t characters = embedforge::count_code_points(text);
  for (const Tokenizer& tokenizer : tokenizers) check(tokenizer, text, characters);
  return 0;
}
