// Stands in until the pages are merged: the page helper's file defines these.
#include "serve/pages.h"

namespace embedforge::serve {

std::string_view playground_page() { return "<!doctype html><title>embedforge</title>"; }
std::string_view page_security_policy() { return "default-src 'none'"; }

}  // namespace embedforge::serve
