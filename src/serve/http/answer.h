// Takes: a Response and what its request was. Gives: the bytes before its body. Never: lets a value
// end its line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/message.h"

namespace embedforge::serve {

/// Which origins browsers may call from. "*": any.
class Cors {
 public:
  explicit Cors(std::vector<std::string> origins);
  static bool is_preflight(const Request& request);
  /// 204 with what is allowed; without, for an origin that isn't.
  Response answer_preflight(const Request& request) const;
  /// What every answer to that request carries.
  void add_to(Headers& headers, const Request& request) const;

 private:
  bool allows(std::string_view origin) const;
  std::vector<std::string> origins_;
  bool any_;
};

/// X-Request-Id when it is short and of visible ASCII, else a new one.
std::string request_id_of(const Request& request);

enum class After { kClose, kKeepAlive, kKeepAlive10 };

/// Whether answers with that status have a body at all.
bool has_body(int status);

std::string answer_head(const Response& response, const Request& request, After after);

}  // namespace embedforge::serve
