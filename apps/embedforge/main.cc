#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/nearest.h"
#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/version.h"

namespace embedforge::app {
namespace {

void stop_on_signal(int signal) {
  remove_partial_files();
  _exit(128 + signal);
}

/// One line on stderr, whatever the message holds. Allocates nothing: memory may have run out.
void complain(const char* kind, std::string_view message) noexcept {
  std::fputs("embedforge: ", stderr);
  std::fputs(kind, stderr);
  for (const char c : message) std::fputc(c == '\n' || c == '\r' ? ' ' : c, stderr);
  std::fputc('\n', stderr);
}

void add_commands(CLI::App& app) {
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("embedforge ") + kVersion);
  app.failure_message(CLI::FailureMessage::simple);
  add_pull(app);
  add_models(app);
  add_cache(app);
  add_convert(app);
  add_optimize(app);
  add_quantize(app);
  add_encode(app);
  add_embed(app);
  add_serve(app);
  add_similarity(app);
  add_rerank(app);
  add_tokenize(app);
  add_bench(app);
  add_eval(app);
  add_inspect(app);
  add_doctor(app);
}

/// A first word that is no command. `help COMMAND` is the command's -h.
void check_command(const CLI::App& app, std::string_view word) {
  if (word.starts_with('-')) return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  if (std::ranges::count(names, word) > 0) return;
  throw_usage("unknown command \"" + std::string(word) + "\"" + did_you_mean(word, names) +
              "; see embedforge -h");
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Text-embedding models: convert, optimize, inspect and run them fast on a CPU",
               "embedforge");
  add_commands(app);
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    words.emplace_back("-h");
  }
  if (!words.empty()) check_command(app, words[0]);
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // -h and --version
    throw_usage(std::string(error.what()) + "; see embedforge -h");
  }
  return std::fflush(stdout) == 0 ? 0 : exit_status(ErrorCode::kBadInput);
}

int run(int argc, char** argv) noexcept {
  try {
    return parse_and_run(argc, argv);
  } catch (const Error& error) {
    complain("", error.what());
    return exit_status(error.code());
  } catch (const std::bad_alloc&) {
    complain("", "out of memory");
  } catch (const std::exception& error) {
    complain("bug: ", error.what());
  }
  return exit_status(ErrorCode::kBug);
}

}  // namespace
}  // namespace embedforge::app

int main(int argc, char** argv) {
  std::signal(SIGINT, embedforge::app::stop_on_signal);
  std::signal(SIGTERM, embedforge::app::stop_on_signal);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file past `ulimit -f` fails as on a full disk
  return embedforge::app::run(argc, argv);
}
