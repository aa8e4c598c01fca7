// Takes: a request and its route. Gives: its answer: request -> dialect -> tokens -> queue ->
// engine
// -> dialect -> answer. Never: knows sockets or a dialect's names.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <string>

#include "serve/metrics.h"
#include "serve/models.h"
#include "serve/queue.h"
#include "serve/routes.h"

namespace embedforge::serve {

/// Who takes part.
struct Flow {
  const Models& models;
  Queue& queue;
  Metrics& metrics;
  boost::asio::thread_pool& workers;  // that read, tokenize and write what is large
};

/// `model`: that the path named; "": the body may. Calls `done` once.
void answer(const Flow& flow, const Route& route, const std::string& model, Request request,
            Cancelled cancelled, Done done);

/// A failure in the route's dialect, counted; with Retry-After where it has one.
Response failed(Metrics& metrics, const Route& route, const Failure& failure);

}  // namespace embedforge::serve
