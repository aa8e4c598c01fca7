// Any bytes as a journal: an Error, nothing, or a checkpoint that reads back as it was.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "embedforge/error.h"
#include "pipeline/journal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto content = embedforge::parse_journal(text, "fuzz");
    if (!content) return 0;
    const std::string again = R"({"journal":1,"job":{}})"
                              "\n" +
                              embedforge::journal_slot(content->last);
    if (embedforge::parse_journal(again, "fuzz")->last != content->last) std::abort();
    (void)embedforge::job_difference(content->job, {{"field", 1}});
  } catch (const embedforge::Error&) {
  }
  return 0;
}
