// Takes: a request's method and path. Gives: the dialect's route for it: how the request is read,
// and how a failure is written. Never: runs a model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/catalog.h"
#include "serve/exchange.h"

namespace embedforge::serve {

struct Route {
  std::string_view method;  // "GET" or "POST"; HEAD goes where GET goes
  std::string_view path;    // a "{…}" at its end stands for one or more characters
  std::string_view name;  // of its metrics: "embed", "rerank", "predict", "tokenize", …; "": none
  /// Errors: Failure.
  Exchange (*read)(const Request& request, const Catalog& catalog);
  Response (*fail)(const Failure& failure);
};

/// Of all dialects.
const std::vector<Route>& routes();

/// Whether a path is the route's.
bool path_fits(const Route& route, std::string_view path);

/// nullptr: none has that method and path.
const Route* find_route(std::string_view method, std::string_view path);

/// For the header Allow: "POST", "GET, HEAD"; "": no route has that path.
std::string allowed_methods(std::string_view path);

/// What a path that no route has answers: 404, in the shape of text-embeddings-inference.
Response fail_unknown(const Failure& failure);

}  // namespace embedforge::serve
