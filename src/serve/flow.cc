#include "serve/flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cmath>
#include <utility>

#include "embedforge/error.h"
#include "serve/assemble.h"
#include "serve/prepare.h"

namespace embedforge::serve {
namespace {

using Clock = Work::Clock;

/// A body of so many bytes is read and tokenized where it came in: handing it over takes longer.
constexpr size_t kSmallBody = 8192;
/// Inputs that are tokenized together, and answers that are written where the engine left them.
constexpr size_t kPartInputs = 256;
constexpr size_t kSmallAnswer = 8;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The catalog as a path /models/NAME/… shows it: that model and no other.
class OneModel : public Catalog {
 public:
  OneModel(const Catalog& all, std::shared_ptr<const ModelEntry> chosen)
      : all_(all), chosen_(std::move(chosen)) {}
  std::vector<std::shared_ptr<const ModelEntry>> models() const override { return {chosen_}; }
  std::shared_ptr<const ModelEntry> find(std::string_view, ModelKind) const override {
    return chosen_;
  }
  const Settings& settings() const override { return all_.settings(); }

 private:
  const Catalog& all_;
  std::shared_ptr<const ModelEntry> chosen_;
};

/// A request from here to its answer.
struct Call {
  Call(const Flow& who, const Route& way) : flow(who), route(way) {}

  Flow flow;
  const Route& route;
  Request request;
  Cancelled cancelled;
  Done done;
  Clock::time_point begin = Clock::now();
  Exchange exchange;
  std::shared_ptr<const ServedModel> model;
  std::shared_ptr<Queue::Permit> permit;
  std::vector<RequestPart> parts;
  std::atomic<size_t> left = 0;  // parts
  size_t inputs = 0;

  std::string labels() const {
    return metric_label("method", inputs > 1 ? "batch" : "single") + "," +
           metric_label("model", model->entry->id);
  }
};
using CallPtr = std::shared_ptr<Call>;

/// What an exception says, as a Failure.
Failure failure_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Failure& failure) {
    return failure;
  } catch (const Error& error) {
    const FailureKind kind = error.code() == ErrorCode::kUsage      ? FailureKind::kUsage
                             : error.code() == ErrorCode::kBug      ? FailureKind::kBug
                             : error.code() == ErrorCode::kBadInput ? FailureKind::kValidation
                                                                    : FailureKind::kModel;
    return {kind, error.what()};
  } catch (const std::bad_alloc&) {
    return {FailureKind::kUnready, "out of memory; send less at once"};
  } catch (const std::exception& error) {
    return {FailureKind::kBug, std::string("bug: ") + error.what()};
  }
}

void fail(const CallPtr& call, const std::exception_ptr& exception) {
  const Failure failure = failure_of(exception);
  call->permit.reset();
  call->done(failed(call->flow.metrics, call->route, failure));
}

/// Does it, and fails the call with what it throws.
template <typename Step>
void guarded(const CallPtr& call, Step step) {
  try {
    step();
  } catch (const std::exception&) {
    fail(call, std::current_exception());
  }
}

/// text-embeddings-inference's headers: milliseconds, bytes of text, tokens.
void add_headers(const Call& call, const Answer& answer, Response& response) {
  const auto add = [&](const char* name, auto value) {
    response.headers.emplace_back(name, fmt::format("{}", value));
  };
  const auto milliseconds = [](double seconds) { return std::llround(seconds * 1000); };
  size_t characters = 0;
  for (const RequestPart& part : call.parts) characters += part.prepared.characters;
  add("x-compute-type", "cpu");
  add("x-compute-time", milliseconds(answer.timing.total));
  add("x-compute-characters", characters);
  add("x-compute-tokens", answer.tokens());
  add("x-total-time", milliseconds(answer.timing.total));
  add("x-tokenization-time", milliseconds(answer.timing.tokenization));
  add("x-queue-time", milliseconds(answer.timing.queue));
  add("x-inference-time", milliseconds(answer.timing.inference));
}

void observe(const Call& call, const Answer& answer) {
  Metrics& metrics = call.flow.metrics;
  const std::string labels = call.labels();
  const std::string model = metric_label("model", call.model->entry->id);
  metrics.count("te_request_success", labels);
  const auto durations = [&](const std::string& prefix) {
    metrics.observe(prefix + "_duration", answer.timing.total, model);
    metrics.observe(prefix + "_tokenization_duration", answer.timing.tokenization, model);
    metrics.observe(prefix + "_queue_duration", answer.timing.queue, model);
    metrics.observe(prefix + "_inference_duration", answer.timing.inference, model);
  };
  durations("te_request");
  if (call.route.name.empty() || call.parts.empty()) return;
  const std::string own = "te_" + std::string(call.route.name);
  metrics.count(own + "_success", model, static_cast<double>(call.inputs));
  durations(own);
  for (const RequestPart& part : call.parts) {
    const TokenBatch tokens = part.work->tokens.batch();
    for (size_t i = 0; i < tokens.sequences(); ++i)
      metrics.observe("te_request_input_length", static_cast<double>(tokens.length(i)), model);
  }
}

void write(const CallPtr& call, Answer answer) {
  guarded(call, [&] {
    answer.timing = timing_of(call->parts);
    answer.timing.total = seconds_since(call->begin);
    answer.model = call->model->entry->id;
    Response response = call->exchange.write(answer);
    add_headers(*call, answer, response);
    response.headers.emplace_back("x-embedforge-model", answer.model);
    observe(*call, answer);
    call->permit.reset();
    call->done(std::move(response));
  });
}

/// All parts came back from the engine.
void finish(const CallPtr& call) {
  const auto make = [call] {
    guarded(call, [&] {
      for (const RequestPart& part : call->parts) {
        if (part.work->failure != nullptr) std::rethrow_exception(part.work->failure);
      }
      if (const auto* ask = std::get_if<EmbedAsk>(&call->exchange.ask)) {
        write(call, {.content = embedded_of(call->parts, *call->model, *ask)});
      } else {
        write(call, {.content = scored_of(call->parts, *call->model,
                                          std::get<ScoreAsk>(call->exchange.ask))});
      }
    });
  };
  if (call->inputs <= kSmallAnswer) {
    make();
  } else {
    boost::asio::post(call->flow.workers, make);
  }
}

template <typename AskType>
void run_part(const CallPtr& call, const AskType& ask, Want want, RequestPart& part, size_t end) {
  part.work = std::make_shared<Work>();
  Work& work = *part.work;
  try {
    const auto begin = Clock::now();
    part.prepared = prepare(*call->model, ask, call->flow.models.settings(), part.begin, end);
    part.tokenization = seconds_since(begin);
    work.tokens = std::move(part.prepared.tokens);
  } catch (const std::exception&) {
    work.failure = std::current_exception();
  }
  work.backend = {call->model, &call->model->model->backend()};
  work.want = want;
  work.cancelled = call->cancelled;
  work.arrived = call->begin;
  work.tokens_before =
      part.begin * (work.tokens.ids.size() / std::max<size_t>(end - part.begin, 1));
  work.done = [call](Work& /*done*/) {
    if (--call->left == 0) finish(call);
  };
  if (work.failure != nullptr) {
    work.finish();
  } else {
    call->flow.queue.push(part.work);
  }
}

/// Cuts the inputs into parts, which are tokenized and run as they come.
template <typename AskType>
void run_model(const CallPtr& call, const AskType& ask, Want want) {
  call->inputs = ask.inputs.size();
  Metrics& metrics = call->flow.metrics;
  metrics.count("te_request_count", call->labels());
  if (!call->route.name.empty()) {
    metrics.count("te_" + std::string(call->route.name) + "_count",
                  metric_label("model", call->model->entry->id), static_cast<double>(call->inputs));
  }
  const size_t most = call->flow.models.settings().max_client_batch_size;
  if (call->inputs > most) {
    throw Failure(FailureKind::kValidation,
                  "batch size " + std::to_string(call->inputs) + " > maximum allowed batch size " +
                      std::to_string(most) + " (--max-client-batch-size)");
  }
  call->permit = call->flow.queue.admit(call->inputs);
  const size_t parts = std::max<size_t>((call->inputs + kPartInputs - 1) / kPartInputs, 1);
  call->parts.resize(parts);
  call->left = parts;
  for (size_t p = 0; p < parts; ++p) {
    call->parts[p].begin = p * kPartInputs;
    const size_t end = std::min(call->inputs, call->parts[p].begin + kPartInputs);
    const auto run = [call, &ask, want, p, end] { run_part(call, ask, want, call->parts[p], end); };
    if (parts == 1) {
      run();
    } else {
      boost::asio::post(call->flow.workers, run);
    }
  }
}

/// Whether the model gives what is asked of it. Errors: Failure kModel.
void check_kind(const ModelEntry& entry, const Ask& ask) {
  if (std::holds_alternative<EmbedAsk>(ask) && entry.kind != ModelKind::kEmbedding)
    throw Failure(FailureKind::kModel, "`" + entry.id + "` is not an embedding model");
  const auto* score = std::get_if<ScoreAsk>(&ask);
  if (score == nullptr) return;
  if (score->reranks && entry.kind != ModelKind::kReranker)
    throw Failure(FailureKind::kModel, "`" + entry.id + "` is not a re-ranker model");
  if (entry.kind == ModelKind::kEmbedding)
    throw Failure(FailureKind::kModel, "`" + entry.id + "` is not a classifier model");
}

ModelKind kind_of(const Ask& ask) {
  const auto* score = std::get_if<ScoreAsk>(&ask);
  if (score == nullptr) return ModelKind::kEmbedding;
  return score->reranks ? ModelKind::kReranker : ModelKind::kClassifier;
}

void run_ask(const CallPtr& call) {
  const Ask& ask = call->exchange.ask;
  const Settings& settings = call->flow.models.settings();
  if (const auto* embed = std::get_if<EmbedAsk>(&ask)) {
    run_model(call, *embed, embed->each_token ? Want::kTokens : Want::kPooled);
  } else if (const auto* score = std::get_if<ScoreAsk>(&ask)) {
    run_model(call, *score, Want::kScores);
  } else if (const auto* texts = std::get_if<TokenizeAsk>(&ask)) {
    write(call, {.content = tokenize(*call->model, *texts, settings)});
  } else {
    write(call, {.content = decode(*call->model, std::get<DecodeAsk>(ask))});
  }
}

void read_and_run(const CallPtr& call, const std::string& model) {
  const Models& models = call->flow.models;
  if (model.empty()) {
    call->exchange = call->route.read(call->request, models);
  } else {
    const OneModel one(models, models.find(model, ModelKind::kEmbedding));
    call->exchange = call->route.read(call->request, one);
    call->exchange.model = model;
  }
  const Ask& ask = call->exchange.ask;
  if (const auto* response = std::get_if<Response>(&ask)) {
    call->done(*response);
    return;
  }
  const auto entry = models.find(call->exchange.model, kind_of(ask));
  check_kind(*entry, ask);
  const auto run = [call, entry] {
    guarded(call, [&] {
      call->model = call->flow.models.get(*entry);
      run_ask(call);
    });
  };
  if (entry->loaded != 0) {
    run();
  } else {  // it takes a while to load
    boost::asio::post(call->flow.workers, run);
  }
}

const char* error_label(FailureKind kind) {
  switch (kind) {
    case FailureKind::kOverloaded:
      return "overloaded";
    case FailureKind::kModel:
      return "inference";
    case FailureKind::kOverdue:
      return "dropped";
    case FailureKind::kBug:
    case FailureKind::kUnready:
      return "unhealthy";
    default:
      return "validation";
  }
}

}  // namespace

void answer(const Flow& flow, const Route& route, const std::string& model, Request request,
            Cancelled cancelled, Done done) {
  const bool small = request.body.size() <= kSmallBody;
  const auto call = std::make_shared<Call>(flow, route);
  call->request = std::move(request);
  call->cancelled = std::move(cancelled);
  call->done = std::move(done);
  const auto run = [call, model] { guarded(call, [&] { read_and_run(call, model); }); };
  if (small) {
    run();
  } else {
    boost::asio::post(flow.workers, run);
  }
}

Response failed(Metrics& metrics, const Route& route, const Failure& failure) {
  metrics.count("te_request_failure", metric_label("err", error_label(failure.kind())));
  Response response = route.fail(failure);
  if (failure.retry_after > 0) {
    response.headers.emplace_back("retry-after",
                                  fmt::format("{}", std::max(1.0, std::ceil(failure.retry_after))));
    response.headers.emplace_back("retry-after-ms",
                                  fmt::format("{}", std::ceil(failure.retry_after * 1000)));
  }
  return response;
}

}  // namespace embedforge::serve
