// The documents that the server shows of itself; built in.
#pragma once

#include <string_view>

namespace embedforge::serve {

/// The playground at `/`: one HTML file without outside assets.
std::string_view playground_page();
/// Content-Security-Policy of the pages: their own scripts and styles by hash, and nothing else.
std::string_view page_security_policy();
/// The OpenAPI 3.1 document, and a page that shows it.
std::string_view openapi_json();
std::string_view docs_page();

}  // namespace embedforge::serve
