#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/bounded_file.h"
#include "clients/plannerctl/cluster_commands.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/foreign_error.h"
#include "clients/plannerctl/inventory_import.h"
#include "clients/plannerctl/numbers.h"
#include "clients/plannerctl/slurm_runs.h"
#include "clients/slurm/inventory.h"
#include "clients/slurm/job_report.h"
#include "clients/slurm/program.h"
#include "clients/slurm/slurm_state.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using Stub = v1::ClusterService::Stub;

struct ImportFlags {
  std::string name = "slurm";
  std::string sinfo, squeue, watch;
  std::vector<std::string> gpu_types;
  bool runs = false;
  bool dry_run = false;
};

constexpr absl::Duration kSlurmPatience = absl::Seconds(60);

/// A recorded answer, or the command's own.
absl::StatusOr<std::string> AnswerOf(const std::string& file, const std::vector<std::string>& command,
                                     Session& session) {
  if (!file.empty()) return ReadBoundedFile(file, session.in(), slurm::kMaxSlurmJsonBytes);
  absl::StatusOr<std::string> output = slurm::OutputOf(command, slurm::kMaxSlurmJsonBytes, kSlurmPatience);
  if (!output.ok()) return OfSomebodyElse(output.status());
  return output;
}

/// All nodes, hidden ones too. scontrol of 22.05 has no --json; sinfo of newer ones tells of groups of nodes.
absl::StatusOr<std::string> NodesOfSlurm(const std::string& file, Session& session) {
  if (file.empty()) {
    absl::StatusOr<std::string> answer =
        slurm::OutputOf({"scontrol", "--all", "show", "nodes", "--json"}, slurm::kMaxSlurmJsonBytes, kSlurmPatience);
    if (answer.ok() && answer->starts_with('{')) return answer;
  }
  return AnswerOf(file, {"sinfo", "--all", "--json"}, session);
}

absl::StatusOr<std::map<std::string, std::string>> TypesOf(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> types;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals + 1 == text.size()) {
      return absl::InvalidArgumentError(fmt::format("--gpu-type: is no SLURM=TYPE: value=\"{}\"", text));
    }
    types[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return types;
}

/// Jobs whose beginning or end has been told already, so that a poller asks once and not every time.
using Told = std::set<std::string>;

/// Begins and ends the runs of planned jobs that no hook has told of. An error of one job is a warning.
void ReportJobs(const std::vector<slurm::SlurmJob>& jobs, Told& told, Session& session) {
  Told still;
  const auto key_of = [](const slurm::JobReport& report) {
    return fmt::format("{} {} {}", report.id, report.restarts, static_cast<int>(report.end));
  };
  const auto tell = [&](const slurm::JobReport& report) {
    const absl::Status status = ReportJob(report, session).status();
    if (!status.ok()) session.Warn(fmt::format("job {}: {}", report.id, std::string(status.message())));
    return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status);  // Else told again next time.
  };
  for (const slurm::SlurmJob& job : jobs) {
    const std::string plan = slurm::PlanOfAdminComment(job.admin_comment);
    slurm::JobReport before{.plan = plan,
                            .cluster = job.cluster,
                            .id = std::to_string(job.id),
                            .restarts = std::to_string(job.restarts),
                            .name = job.name};
    if (!plan.empty() && slurm::EndAsRequeued(before)) {
      // The run that was seen here before the job was requeued.
      slurm::JobReport begun = before;
      begun.end = v1::Run::STATE_UNSPECIFIED;
      if (told.contains(key_of(begun)) && !tell(before)) still.insert(key_of(begun));
    }
    if (plan.empty() || job.start == absl::InfinitePast() || job.start > session.now() ||
        job.state == slurm::SlurmJob::State::kPending)
      continue;
    slurm::JobReport report{.plan = plan,
                            .cluster = job.cluster,
                            .id = std::to_string(job.id),
                            .restarts = std::to_string(job.restarts),
                            .name = job.name,
                            .start = job.start};
    switch (job.state) {
      case slurm::SlurmJob::State::kCompleted:
        report.end = v1::Run::SUCCEEDED;
        break;
      case slurm::SlurmJob::State::kCancelled:
        report.end = v1::Run::CANCELLED;
        report.message = "cancelled";
        break;
      case slurm::SlurmJob::State::kTimeout:
        report.end = v1::Run::FAILED;
        report.message = "ended at its time limit";
        break;
      case slurm::SlurmJob::State::kFailed:
        report.end = v1::Run::FAILED;
        report.message = "failed";
        break;
      default:
        break;
    }
    if (told.contains(key_of(report)) || tell(report)) still.insert(key_of(report));
  }
  told = std::move(still);  // What Slurm has forgotten need not be remembered.
}

/// One look at Slurm; what is stored changes only where all of it could be read.
absl::StatusOr<v1::Cluster> Import(const ImportFlags& flags, const slurm::InventoryOptions& options, Told& told,
                                   Session& session) {
  ASSIGN_OR_RETURN(const std::string sinfo, NodesOfSlurm(flags.sinfo, session));
  // 22.05 tells of all jobs in JSON; newer ones tell of those that squeue shows otherwise, and finished ones must be seen to end their runs.
  ASSIGN_OR_RETURN(const std::string squeue,
                   AnswerOf(flags.squeue, {"squeue", "--all", "--states=all", "--json"}, session));
  ASSIGN_OR_RETURN(const std::vector<slurm::SlurmNode> nodes, slurm::ParseNodes(sinfo));
  ASSIGN_OR_RETURN(const std::vector<slurm::SlurmJob> jobs, slurm::ParseJobs(squeue));
  session.StartAgain(absl::ZeroDuration());  // Waiting for Slurm is no waiting for the planner.
  ASSIGN_OR_RETURN(v1::Cluster stored, StoreInventory({.name = flags.name, .origin = "Slurm", .dry_run = flags.dry_run}, nodes, jobs, options, session));
  if (flags.runs && !flags.dry_run) ReportJobs(jobs, told, session);
  return stored;
}

absl::StatusOr<ExitCode> ImportSlurm(const ImportFlags& flags, Session& session) {
  slurm::InventoryOptions options;
  ASSIGN_OR_RETURN(options.gpu_types, TypesOf(flags.gpu_types));
  Told told;
  return ImportOnceOrOften(flags.watch, [&] { return Import(flags, options, told, session); }, session);
}

}  // namespace

void AddClusterImportCommand(CLI::App& noun, Action& chosen) {
  CLI::App& import = *noun.add_subcommand("import", "The inventory of another program")->require_subcommand(1);
  AddKubernetesImportCommand(import, chosen);
  const auto flags = std::make_shared<ImportFlags>();
  CLI::App& command =
      *import.add_subcommand("slurm", "Nodes, states and running jobs, as sinfo and squeue tell of them");
  command.add_option("name", flags->name, "The planner's name of the cluster [slurm]");
  AddFlag(command, "--gpu-type", flags->gpu_types,
          "Slurm's name of a type and the planner's, a100=A100-SXM-80GB; repeatable", "SLURM=TYPE")
      ->allow_extra_args(false);
  AddFlag(command, "--watch", flags->watch, "Look again so often, until it is ended; errors are warnings then",
          "INTERVAL");
  AddFlag(command, "--sinfo", flags->sinfo, "A recorded answer of sinfo or scontrol show nodes, --json [ask them]",
          "FILE");
  AddFlag(command, "--squeue", flags->squeue, "A recorded answer of squeue --json [ask squeue]", "FILE");
  command.add_flag("--runs", flags->runs, "Begin and end the runs of planned jobs, too, that no hook has told of");
  command.add_flag("--dry-run", flags->dry_run, "Check everything and store nothing");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return ImportSlurm(*flags, session); }; });
}

}  // namespace planner::plannerctl
