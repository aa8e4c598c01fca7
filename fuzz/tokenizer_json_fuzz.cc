// Any bytes as tokenizer.json, or as a sentencepiece model: an Error or a tokenizer that works.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "embedforge/error.h"
#include "tokenize/files/legacy_files.h"
#include "tokenize/tokenizer.h"

namespace {

void use(const embedforge::Tokenizer& tokenizer) {
  for (const std::string_view text :
       {"Hello, w\xC3\xB6rld! 123 \xE4\xBD\xA0\xE5\xA5\xBD  [CLS] <s>", "a", " ",
        "e\xCC\x81\n\n"}) {
    try {
      std::vector<int32_t> ids;
      tokenizer.append_ids(text, {}, ids);
      const embedforge::Encoding encoding = tokenizer.encode(text, {.max_length = 7});
      (void)tokenizer.encode_pair(text, "b", {.max_length = 9});
      (void)tokenizer.decode(ids);
    } catch (const embedforge::Error&) {  // a vocabulary without the unknown token
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    if (!text.empty() && text[0] == '{') {
      use(embedforge::Tokenizer::parse(text, "fuzz"));
    } else {
      const nlohmann::json document = embedforge::sentencepiece_document(text, "fuzz", {});
      use(embedforge::Tokenizer::parse(document.dump(), "fuzz"));
    }
  } catch (const embedforge::Error&) {
  }
  return 0;
}
