#include "plan/raise.h"

#include <algorithm>

#include "embedforge/error.h"
#include "plan/emit.h"
#include "recognize/recognize.h"
#include "recognize/view.h"

namespace embedforge {
namespace {

using namespace raising;

/// Long enough to show a window or a causal mask, and shorter than the position tables of real
/// models.
constexpr int64_t kLongProbe = 301;

void describe_tables(Program& program) {
  for (const Step& step : program.steps) {
    const auto* embed = std::get_if<EmbedStep>(&step);
    if (embed == nullptr) continue;
    for (const EmbedStep::Table& table : embed->tables) {
      const int64_t rows = table.rows.dims[0];
      if (table.source == EmbedStep::Source::kTokenId)
        program.vocabulary = static_cast<size_t>(rows);
      if (table.source != EmbedStep::Source::kPosition) continue;
      const auto positions = static_cast<size_t>(std::max<int64_t>(0, rows - table.offset));
      program.max_positions =
          program.max_positions == 0 ? positions : std::min(program.max_positions, positions);
    }
  }
}

/// A declared [batch, width] that is not the pooler's: a sentence embedding.
bool is_row_a_sequence(const ValueInfo& output) {
  return output.name != "pooler_output" && output.shape && output.shape->size() == 2;
}

/// Takes the layers on pooled rows (a classifier) and the pooling itself off. Gives the tokens that
/// were pooled; nullptr and no head when something else made the rows.
Ref take_head(Ref pooled, std::vector<HeadStep>& head) {
  const auto put = [&](HeadStep step) { head.insert(head.begin(), std::move(step)); };
  if (const auto* normalized = pooled->get<Normalized>()) {
    put(NormalizeStep{});
    pooled = Ref(normalized->in);
  }
  for (;;) {
    if (const auto* pool = pooled->get<Pool>()) {
      if (pool->normalize) put(NormalizeStep{});
      put(PoolStep{{pool->kind}});
      return pool->in;
    }
    LinearStep step;
    const auto* product = pooled->get<Linear>();
    if (const auto* map = pooled->get<Map>()) {
      const auto activation = as_activation(map->values);
      product = activation ? map->in->get<Linear>() : nullptr;
      step.activation = activation.value_or(Activation::kNone);
    }
    if (product == nullptr) {
      head.clear();
      return nullptr;
    }
    step.weight = product->weight;
    step.bias = product->bias;
    put(std::move(step));
    pooled = Ref(product->in);
  }
}

/// A program, and how long the texts may be for which the probes showed all of it (0: any).
struct Built {
  Program program;
  int64_t shown_length = 0;
};

Built build(const Graph& graph, int64_t longest, int64_t attended) {
  const std::map<std::string, Form> outputs =
      recognize::recognize(graph, make_probes(longest, attended, possible_padding_ids(graph)));
  Ref hidden;
  Ref pooled;
  const Unknown* problem = nullptr;
  for (const ValueInfo& output : graph.outputs) {
    const Form& form = outputs.at(output.name);
    const auto* unknown = std::get_if<Unknown>(&form);
    // BERT's own pooler (a dense layer on the first token) is not the sentence embedding and never
    // needed.
    if (unknown != nullptr && problem == nullptr && output.name != "pooler_output")
      problem = unknown;
    const auto* value = std::get_if<Viewed>(&form);
    if (value == nullptr || output.name == "pooler_output") continue;
    bool tokens = false;
    const bool rows = is_row_major(value->view, value->of->width, &tokens);
    Ref& place = tokens ? hidden : pooled;
    if (rows && place == nullptr) place = without_rounding(*value).of;
  }
  // What `convert --with-pooling` adds is what the folder's files say, who pools the tokens then.
  const bool as_folder = hidden != nullptr && graph.producer == "embedforge";
  const bool lacks_pooled = pooled == nullptr && problem != nullptr && !as_folder &&
                            std::ranges::any_of(graph.outputs, [&](const ValueInfo& output) {
                              return is_row_a_sequence(output) &&
                                     std::get_if<Unknown>(&outputs.at(output.name)) != nullptr;
                            });
  if ((hidden == nullptr && pooled == nullptr) || lacks_pooled) {
    if (problem == nullptr) throw_not_supported("the graph has no output of token embeddings");
    if (problem->bad_input) throw_bad_input(problem->why);
    throw_not_supported(problem->why);
  }
  Emitter emitter;
  Program& program = emitter.program();
  const Ref tokens = pooled != nullptr ? take_head(pooled, program.head) : nullptr;
  program.pools_itself = hidden == nullptr;
  if (hidden == nullptr) hidden = tokens;
  if (hidden == nullptr) throw_not_supported("the graph has no output of token embeddings");
  program.hidden = emitter.emit(hidden);
  if (tokens != nullptr && emitter.emit(tokens) != program.hidden) program.head.clear();
  program.hidden_size = hidden->width;
  describe_tables(program);
  return {std::move(program), emitter.shown_length()};
}

/// True when the position table allows no text that the probes don't show.
bool shows_all(const Built& built) {
  return built.shown_length == 0 ||
         (built.program.max_positions > 0 &&
          built.program.max_positions <= static_cast<size_t>(built.shown_length));
}

}  // namespace

Program raise(const Graph& graph) {
  Built built;
  try {
    built = build(graph, kLongProbe, kLongProbe - 4);
  } catch (const Error& first) {
    // A model with a short position table can't run the long probe, and needs none beyond its
    // table.
    const auto positions = static_cast<int64_t>(build(graph, 0, 0).program.max_positions);
    if (positions == 0 || positions >= kLongProbe) throw first;
    built = build(graph, positions, positions);
  }
  if (!shows_all(built)) {
    throw_not_supported("attention's bias by distance still changes at " +
                        std::to_string(built.shown_length) +
                        " tokens; the native engine needs one that is constant from there on");
  }
  return std::move(built.program);
}

}  // namespace embedforge
