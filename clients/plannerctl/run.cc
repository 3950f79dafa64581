#include "clients/plannerctl/run.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "clients/plannerctl/command.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/foreign_error.h"
#include "clients/plannerctl/version.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::plannerctl {
namespace {

/// The global flags as they were written.
struct GlobalTexts {
  std::string server, state_dir, output = "table", timeout;
  cpp::TlsFiles tls;
  bool no_headers = false;
  bool quiet = false;
};

/// "--state_dir=a_b" with the flag's underscores as dashes, "-o=json" as "-ojson"; all else stays.
std::string AsCliWantsIt(std::string argument) {
  if (!argument.starts_with('-')) return argument;
  if (argument.size() > 2 && argument[1] != '-' && argument[2] == '=') return argument.erase(2, 1);
  if (argument[1] != '-') return argument;
  const size_t end = std::min(argument.find('='), argument.size());
  std::replace(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
  return argument;
}

/// As CLI11 wants them: the last one first. After a bare "--" nothing is a flag.
std::vector<std::string> Prepared(const std::vector<std::string>& arguments) {
  std::vector<std::string> prepared;
  bool flags = true;
  for (const std::string& argument : arguments) {
    flags = flags && argument != "--";
    prepared.push_back(flags ? AsCliWantsIt(argument) : argument);
  }
  // "help estimate" as "estimate --help".
  if (!prepared.empty() && prepared.front() == "help") {
    prepared.erase(prepared.begin());
    prepared.emplace_back("--help");
  }
  std::reverse(prepared.begin(), prepared.end());
  return prepared;
}

void AddGlobalFlags(CLI::App& app, GlobalTexts& texts) {
  AddFlag(app, "--server", texts.server,
          "host:port or unix:PATH of plannerd, several with commas; also PLANNER_SERVER [the planner runs in process]", "ADDRESS");
  AddFlag(app, "--tls-ca", texts.tls.ca, "TLS: PEM file of who signs the server's certificate; also PLANNER_TLS_CA [plain text]", "FILE");
  AddFlag(app, "--tls-cert", texts.tls.certificate, "Mutual TLS: our own certificate; also PLANNER_TLS_CERT", "FILE");
  AddFlag(app, "--tls-key", texts.tls.key, "Its key; also PLANNER_TLS_KEY", "FILE");
  AddFlag(app, "--state-dir", texts.state_dir, "State of the planner in process [$XDG_STATE_HOME/planner]", "DIR");
  AddFlag(app, "--output,-o", texts.output, "table, json or yaml [table]", "FORMAT");
  AddFlag(app, "--timeout", texts.timeout, "Longest time to wait [30s]", "DURATION");
  app.add_flag("--no-headers", texts.no_headers, "Tables without their first line");
  app.add_flag("--quiet,-q", texts.quiet, "No warnings, no bold");
}

absl::StatusOr<GlobalFlags> ReadGlobalFlags(const GlobalTexts& texts, const Environment& environment) {
  GlobalFlags flags;
  flags.server = texts.server;
  // A state folder asks for the planner of this process, whatever the environment says.
  if (flags.server.empty() && texts.state_dir.empty()) flags.server = environment.variable("PLANNER_SERVER").value_or("");
  const auto file = [&](const std::string& text, const char* name) { return text.empty() ? environment.variable(name).value_or("") : text; };
  flags.tls = {file(texts.tls.ca, "PLANNER_TLS_CA"), file(texts.tls.certificate, "PLANNER_TLS_CERT"), file(texts.tls.key, "PLANNER_TLS_KEY")};
  flags.state_dir = texts.state_dir;
  flags.no_headers = texts.no_headers;
  flags.quiet = texts.quiet;
  RETURN_IF_ERROR(
      FillFlag("--output", texts.output, ParseOutputFormat, [&](OutputFormat format) { flags.format = format; }));
  RETURN_IF_ERROR(
      FillFlag("--timeout", texts.timeout, ParseDuration, [&](absl::Duration timeout) { flags.timeout = timeout; }));
  return flags;
}

void PrintError(const Environment& environment, std::string_view text) {
  environment.err << "plannerctl: error: " << Printable(text) << '\n';
}

/// The command, or the command of a command, that was recognized last.
const CLI::App& Deepest(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app : Deepest(*parsed.back());
}

/// What an unknown word was likely meant to be: a command or flag that the last command knows.
std::string Suggestion(const std::string& word, const CLI::App& app) {
  const CLI::App& command = Deepest(app);
  std::vector<std::string> known;
  if (word.starts_with("--")) {
    for (const CLI::App* owner : {&command, &app}) {  // Global flags are known everywhere.
      for (const CLI::Option* option : owner->get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
    }
    return base::LikelyName(word.substr(0, word.find('=')), known);
  }
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) known.push_back(sub->get_name());
  if (known.empty() && command.get_option_no_throw("--model") != nullptr) return "--model " + word;
  return base::LikelyName(word, known);
}

/// CLI11 complains of a missing command or flag before it does of a word that it does not know.
std::string Explain(const CLI::ParseError& error, const CLI::App& app) {
  const std::vector<std::string> unknown = app.remaining(true);
  if (unknown.empty()) return error.what();
  const std::string suggestion = Suggestion(unknown.front(), app);
  return fmt::format("\"{}\" is no command or flag here{}", unknown.front(),
                     suggestion.empty() ? "" : fmt::format("; did you mean {}?", suggestion));
}

/// The error of a call, with the server's address where the server was not reached.
std::string Explain(const absl::Status& status, const GlobalFlags& flags) {
  const std::string text(status.message());
  if (flags.server.empty() || IsOfSomebodyElse(status)) return text;
  if (status.code() == absl::StatusCode::kUnavailable) {
    return fmt::format("the server at {} cannot be reached: {}", flags.server, text);
  }
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return fmt::format("the server at {} did not answer within {}: {}", flags.server, DurationText(flags.timeout),
                       text);
  }
  return text;
}

}  // namespace

ExitCode Run(const std::vector<std::string>& arguments, const Environment& environment) {
  CLI::App app("plannerctl: how many GPUs, of which type, for how long", "plannerctl");
  app.fallthrough();  // Global flags after the command, too.
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("plannerctl ") + kVersion);
  app.footer("Exit codes: 0 ok; 1 failed; 2 usage; 3 infeasible; 4 server unreachable or too slow");
  GlobalTexts texts;
  AddGlobalFlags(app, texts);
  Action action;
  AddEstimateCommand(app, action);
  AddCountCommand(app, action);
  AddValidateCommand(app, action);
  AddPlanCommand(app, action);
  AddRunCommand(app, action);
  AddClusterCommand(app, action);
  AddSlurmCommand(app, action);
  AddKubernetesCommand(app, action);
  AddGpuCommand(app, action);
  AddModelCommand(app, action);
  AddPrecisionCommand(app, action);
  AddCounterCommand(app, action);
  AddVersionCommand(app, action);
  AddCompletionCommand(app, action);

  try {  // CLI11 reports by exceptions, --help too.
    app.parse(Prepared(arguments));
  } catch (const CLI::Success& help) {
    app.exit(help, environment.out, environment.err);
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    PrintError(environment, Explain(error, app));
    environment.err << "Run plannerctl --help, or plannerctl COMMAND --help.\n";
    return ExitCode::kUsage;
  }

  const auto flags = ReadGlobalFlags(texts, environment);
  if (!flags.ok()) {
    PrintError(environment, std::string(flags.status().message()));
    return ExitCode::kUsage;
  }
  Session session(environment, *flags);
  if (!flags->server.empty() && !flags->state_dir.empty()) {
    session.Warn("--state-dir is ignored: the server has a state of its own");
  }
  const absl::StatusOr<ExitCode> outcome = action(session);
  if (!outcome.ok()) {
    PrintError(environment, Explain(outcome.status(), *flags));
    return ExitCodeOf(outcome.status());
  }
  environment.out.flush();
  if (!environment.out && !environment.reader_left()) {
    PrintError(environment, "the answer cannot be written to standard output");
    return ExitCode::kFailed;
  }
  return *outcome;
}

}  // namespace planner::plannerctl
