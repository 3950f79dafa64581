#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "clients/plannerctl/command.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

/// The words that may follow a command: its subcommands and long flags, the global flags too.
std::string Words(const CLI::App& root, const CLI::App& command) {
  std::string words;
  for (const CLI::App* sub : command.get_subcommands({})) words += sub->get_name() + " ";
  const auto add_flags = [&words](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
    }
  };
  add_flags(command);
  if (&command != &root) add_flags(root);
  return words;
}

/// One case of the script's table per command, "estimate", "plan create".
void AddCases(const CLI::App& root, const CLI::App& command, const std::string& path, std::string& cases) {
  cases += fmt::format("    '{}') words='{}' ;;\n", path, Words(root, command));
  for (const CLI::App* sub : command.get_subcommands({})) {
    AddCases(root, *sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), cases);
  }
}

/// The words before the cursor that are no flags name the command; the table knows what may follow.
/// A path of a file is completed by bash itself (-o default).
std::string BashScript(const CLI::App& root) {
  std::string cases;
  AddCases(root, root, "", cases);
  return fmt::format(
      "_plannerctl() {{\n"
      "  local words='' path='' word i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${{COMP_WORDS[i]}}\n"
      "    [[ $word == -* ]] && break\n"
      "    path=\"${{path:+$path }}$word\"\n"
      "  done\n"
      "  case \"$path\" in\n"
      "{}"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n"
      "}}\n"
      "complete -o default -F _plannerctl plannerctl\n",
      cases);
}

}  // namespace

void AddCompletionCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun =
      *root.add_subcommand("completion", "Scripts that complete commands and flags")->require_subcommand(1);
  noun.add_subcommand("bash", "source <(plannerctl completion bash)")->callback([&root, &chosen] {
    // The tree of commands is only there while it is parsed.
    chosen = [script = BashScript(root)](Session& session) -> absl::StatusOr<ExitCode> {
      session.out() << script;
      return ExitCode::kOk;
    };
  });
}

}  // namespace planner::plannerctl
