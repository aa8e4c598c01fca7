// Stands in until the pages are merged: the page and dialects helpers' files define these.
#include "serve/pages.h"

namespace embedforge::serve {

std::string_view playground_page() { return "<!doctype html><title>embedforge</title>"; }
std::string_view page_security_policy() { return "default-src 'none'"; }
std::string_view openapi_json() { return "{}"; }
std::string_view docs_page() { return "<!doctype html><title>embedforge</title>"; }

}  // namespace embedforge::serve
