// Any bytes as a line of JSON, and as a template: a text and an id that are UTF-8, or a reason.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "embedforge/error.h"
#include "pipeline/fields.h"
#include "tokenize/unicode/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static embedforge::FieldPicker plain({});
  static embedforge::FieldPicker templated({.id_field = "id", .text_template = "{title}: {text}"});
  for (auto* picker : {&plain, &templated}) {
    embedforge::Row row;
    if (!picker->from_json(text, row).empty()) continue;
    if (embedforge::find_invalid_utf8(row.text) != std::string::npos) std::abort();
    if (embedforge::find_invalid_utf8(row.id) != std::string::npos) std::abort();
    if (row.id.find('\n') != std::string::npos) std::abort();
  }
  try {
    (void)embedforge::parse_template(text);
  } catch (const embedforge::Error&) {
  }
  return 0;
}
