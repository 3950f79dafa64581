#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/bounded_file.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/foreign_error.h"
#include "clients/plannerctl/policy_file.h"
#include "clients/plannerctl/slurm_commands.h"
#include "clients/plannerctl/slurm_gate.h"
#include "clients/slurm/answer.h"
#include "clients/slurm/exchange.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

struct CheckFlags {
  std::string policy, socket, file, budget;
  std::vector<std::pair<std::string, std::string>> given;  ///< Fields of the message, by the wire's names.
  std::vector<std::string> environment;
};

absl::StatusOr<slurm::Fields> FieldsOf(const CheckFlags& flags, std::istream& in) {
  slurm::Fields fields;
  if (!flags.file.empty()) {
    ASSIGN_OR_RETURN(const std::string text, ReadBoundedFile(flags.file, in, slurm::kMaxMessageBytes));
    auto read = slurm::Decode(text);
    if (!read.ok())
      return absl::InvalidArgumentError(fmt::format("{}: {}", flags.file, std::string(read.status().message())));
    fields = *std::move(read);
  }
  fields.insert(fields.end(), flags.given.begin(), flags.given.end());
  for (const std::string& one : flags.environment) {
    const size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0) return absl::InvalidArgumentError("--env: is no NAME=VALUE");
    fields.emplace_back("env." + one.substr(0, equals), one.substr(equals + 1));
  }
  return fields;
}

std::string AsJson(const slurm::Fields& fields) {
  nlohmann::json json = {{"messages", nlohmann::json::array()}};
  for (const auto& [name, value] : fields) {
    if (name == "message") {
      json["messages"].push_back(value);
    } else {
      json[name] = value;
    }
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<ExitCode> Check(const CheckFlags& flags, Session& session) {
  absl::Duration budget = absl::Milliseconds(250);
  RETURN_IF_ERROR(FillFlag("--budget", flags.budget, ParseDuration, [&](absl::Duration value) { budget = value; }));
  ASSIGN_OR_RETURN(const slurm::Fields question, FieldsOf(flags, session.in()));
  slurm::Fields answer;
  if (!flags.socket.empty()) {
    const std::string text = slurm::Encode(question);
    if (text.size() > slurm::kMaxMessageBytes)
      return absl::InvalidArgumentError("the job's description is longer than 64 KiB");
    const auto error = [](const absl::Status& status, std::string_view what) {
      return OfSomebodyElse(absl::Status(status.code(), fmt::format("--socket: {}{}", what, std::string(status.message()))));
    };
    const absl::StatusOr<std::string> said = slurm::Ask(flags.socket, text, budget);
    if (!said.ok()) return error(said.status(), "");
    auto read = slurm::Decode(*said);
    if (!read.ok()) return error(absl::UnavailableError(read.status().message()), "the answer ");
    answer = *std::move(read);
  } else {
    ASSIGN_OR_RETURN(jobs::Policy policy, ReadPolicy(flags.policy, session.in()));
    ASSIGN_OR_RETURN(const auto gate, SlurmGate::Open(std::move(policy), budget, session));
    answer = slurm::FieldsOf(gate->Decide(question));
  }
  session.PrintJson(AsJson(answer), [&](std::ostream& out) { out << slurm::Encode(answer); });
  if (slurm::ValueOf(answer, "action") == "refuse" && slurm::ValueOf(answer, "failed").empty())
    return ExitCode::kInfeasible;
  return slurm::ValueOf(answer, "failed").empty() ? ExitCode::kOk : ExitCode::kUnreachable;
}

}  // namespace

void AddSubmitCheckCommand(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<CheckFlags>();
  CLI::App& command =
      *noun.add_subcommand("submit-check", "What becomes of a job: the answer that job_submit.lua gets, line by line");
  AddFlag(command, "--socket", flags->socket, "Ask `slurm serve` at this Unix socket [decide in this process]", "PATH");
  AddFlag(command, "--policy", flags->policy, "The site's policy; without --socket [advise on everything]", "FILE");
  AddFlag(command, "--budget", flags->budget, "How long the planner may take [250ms]", "DURATION");
  command.add_option("-f,--filename", flags->file, "The job as a message; - reads standard input")->type_name("FILE");
  struct Field {
    const char* flag;
    const char* name;
    const char* text;
  };
  for (const Field& field : {Field{"--tres-per-job", "tres_per_job", "As in job_desc: gres:gpu:a100:8"},
                             Field{"--tres-per-node", "tres_per_node", "The same"},
                             Field{"--tres-per-socket", "tres_per_socket", "The same"},
                             Field{"--tres-per-task", "tres_per_task", "The same"},
                             Field{"--gres", "gres", "As sbatch takes it: gpu:a100:8"},
                             Field{"--gpus", "gpus", "As sbatch takes it: a100:8"},
                             Field{"--gpus-per-node", "gpus_per_node", "The same"},
                             Field{"--gpus-per-socket", "gpus_per_socket", "The same"},
                             Field{"--gpus-per-task", "gpus_per_task", "The same"},
                             Field{"--nodes", "nodes", "Number of nodes"},
                             Field{"--ntasks", "tasks", "Number of tasks"},
                             Field{"--ntasks-per-node", "tasks_per_node", "Tasks of a node"},
                             Field{"--sockets-per-node", "sockets_per_node", "Sockets of a node"},
                             Field{"--exclusive", "exclusive", "1: it has whole nodes"},
                             Field{"--time", "time_limit", "As sbatch takes it: 90, 7-00:00:00"},
                             Field{"--partition-time", "partition_time_limit", "The partition's own limit"},
                             Field{"--partition", "partition", "Whose rules hold"},
                             Field{"--account", "account", "The job's account"},
                             Field{"--user", "user", "Who submits it"},
                             Field{"--job-name", "name", "The job's name"},
                             Field{"--comment", "comment", "planner:model=llama-3-8b,tokens=1T"}}) {
    const std::string name = field.name;
    command
        .add_option_function<std::string>(
            field.flag, [flags, name](const std::string& value) { flags->given.emplace_back(name, value); }, field.text)
        ->type_name("TEXT");
  }
  command.add_option("--env", flags->environment, "A variable of the job: PLANNER_MODEL=llama-3-8b; repeatable")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Check(*flags, session); }; });
}

}  // namespace planner::plannerctl
