#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
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
  add_convert(app);
  add_optimize(app);
  add_quantize(app);
  add_encode(app);
  add_embed(app);
  add_similarity(app);
  add_rerank(app);
  add_tokenize(app);
  add_bench(app);
  add_eval(app);
  add_inspect(app);
  add_doctor(app);
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Text-embedding models: convert, optimize, inspect and run them fast on a CPU",
               "embedforge");
  add_commands(app);
  try {
    app.parse(argc, argv);
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
