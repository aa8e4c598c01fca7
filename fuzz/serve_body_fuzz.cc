// Any bytes as the body of every route: a Failure, or an Exchange whose answer is JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "serve/fake_catalog.h"
#include "serve/json_body.h"

namespace {

using namespace embedforge::serve;

/// What a model would give, with one value a vector.
Answer answer_to(const Ask& ask) {
  Answer answer;
  if (const auto* embed = std::get_if<EmbedAsk>(&ask)) {
    answer = embedded(std::vector<std::vector<float>>(embed->inputs.size(), {0.5F}));
    for (size_t i = 0; i <= embed->inputs.size(); ++i) {
      std::get<Embedded>(answer.content).offsets.push_back(i);
    }
  } else if (const auto* score = std::get_if<ScoreAsk>(&ask)) {
    answer = scored(std::vector<std::vector<float>>(score->inputs.size(), {0.5F}));
  } else if (const auto* texts = std::get_if<TokenizeAsk>(&ask)) {
    embedforge::Encoding encoding;
    encoding.ids = {7};
    encoding.tokens = {"a"};
    encoding.offsets = {{0, 1}};
    encoding.special = {0};
    Tokenized made;
    made.texts.resize(texts->texts.size(), encoding);
    made.prompted = texts->texts;
    answer.content = std::move(made);
  } else {
    answer.content = Decoded{{std::get<DecodeAsk>(ask).ids.size(), "a"}};
  }
  return answer;
}

void check_json(const std::string& body) {
  if (!Json::accept(body)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FakeCatalog catalog;
  const std::string body(reinterpret_cast<const char*>(data), size);
  for (const Route& route : routes()) {
    const auto same = [&](const Route& other) { return other.read == route.read; };
    if (route.method != "POST" || &*std::find_if(routes().begin(), routes().end(), same) != &route)
      continue;
    try {
      const Exchange exchange = route.read(json_request(body, std::string(route.path)), catalog);
      const auto* response = std::get_if<Response>(&exchange.ask);
      check_json(response != nullptr ? response->body
                                     : exchange.write(answer_to(exchange.ask)).body);
    } catch (const Failure& failure) {
      check_json(route.fail(failure).body);
    }
  }
  return 0;
}
