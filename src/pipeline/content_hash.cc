#include "pipeline/content_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace embedforge {

uint64_t content_hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace embedforge
