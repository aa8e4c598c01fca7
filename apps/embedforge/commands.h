// Takes: the command line's parser. Gives: its subcommands, one file each. Never: computes; the
// library does.
#pragma once

#include <CLI/CLI.hpp>

namespace embedforge::app {

void add_pull(CLI::App& app);
void add_models(CLI::App& app);
void add_cache(CLI::App& app);
void add_convert(CLI::App& app);
void add_quantize(CLI::App& app);
void add_encode(CLI::App& app);
void add_embed(CLI::App& app);
void add_serve(CLI::App& app);
void add_similarity(CLI::App& app);
void add_rerank(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_optimize(CLI::App& app);
void add_bench(CLI::App& app);
void add_eval(CLI::App& app);
void add_inspect(CLI::App& app);
void add_doctor(CLI::App& app);

}  // namespace embedforge::app
