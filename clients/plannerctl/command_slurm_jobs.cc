#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/foreign_error.h"
#include "clients/plannerctl/run_view.h"
#include "clients/plannerctl/slurm_commands.h"
#include "clients/plannerctl/slurm_runs.h"
#include "clients/slurm/job_report.h"
#include "clients/slurm/program.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/run_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

struct JobFlags {
  std::string job, plan;
};

/// A column of squeue: its name, and how wide it is. What a user wrote cannot be taken for another column, since places decide.
struct Column {
  const char* name;
  size_t width;
};
constexpr Column kJobId = {"jobid", 24};
constexpr Column kState = {"state", 32};
constexpr Column kExitCode = {"exit_code", 32};
constexpr Column kReason = {"reason", 64};
constexpr Column kStart = {"starttime", 32};
constexpr Column kEnd = {"endtime", 32};
constexpr Column kAdminComment = {"admin_comment", 4096};

std::string Cut(std::string_view line, size_t begin, size_t width) {
  if (begin >= line.size()) return "";
  std::string text(line.substr(begin, width));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.pop_back();
  return text;
}

/// What squeue says of the job: the columns in their order, empty where it knows no such job. 22.05's exit_code is the raw status of wait(2).
/// One task of an array has the array's number, by which squeue tells of all of them, in the order of their states: each line has its own job's.
absl::StatusOr<std::vector<std::string>> AskSqueue(const std::string& job, const std::vector<Column>& columns) {
  std::string format = fmt::format("{}:{}", kJobId.name, kJobId.width);
  for (const Column& column : columns) format += fmt::format(",{}:{}", column.name, column.width);
  const absl::StatusOr<std::string> output =
      slurm::OutputOf({"squeue", "--noheader", "--states=all", "--all", "--jobs=" + job, "--Format=" + format},
                      size_t{64} << 20, absl::Seconds(10));
  if (!output.ok()) return OfSomebodyElse(output.status());
  std::vector<std::string> values(columns.size());
  for (size_t at = 0; at < output->size();) {
    const size_t end = std::min(output->find('\n', at), output->size());
    const std::string_view line = std::string_view(*output).substr(at, end - at);
    at = end + 1;
    if (Cut(line, 0, kJobId.width) != job) continue;
    size_t begin = kJobId.width;
    for (size_t i = 0; i < columns.size(); ++i) {
      values[i] = Cut(line, begin, columns[i].width);
      begin += columns[i].width;
    }
    break;
  }
  return values;
}

/// InfinitePast: it is none ("N/A").
absl::Time TimeOf(const std::string& text) {
  absl::Time time = absl::InfinitePast();
  std::string error;
  absl::ParseTime("%Y-%m-%dT%H:%M:%S", text, absl::LocalTimeZone(), &time, &error);
  return time;
}

absl::StatusOr<slurm::JobReport> ReportOf(const JobFlags& flags, bool has_ended, Session& session) {
  slurm::JobReport job;
  const auto variable = [&](const char* name) { return session.Variable(name).value_or(""); };
  job.id = flags.job.empty() ? variable("SLURM_JOB_ID") : flags.job;
  if (job.id.empty() || job.id.find_first_not_of("0123456789") != std::string::npos) {
    return absl::InvalidArgumentError("--job: is missing or no number: SLURM_JOB_ID names the job in Slurm's hooks");
  }
  job.cluster = variable("SLURM_CLUSTER_NAME");
  job.name = variable("SLURM_JOB_NAME");
  const std::string restarts = variable("SLURM_JOB_RESTART_COUNT");
  if (!restarts.empty()) job.restarts = restarts;
  ASSIGN_OR_RETURN(const std::vector<std::string> said,
                   AskSqueue(job.id, {kState, kExitCode, kReason, kStart, kAdminComment, kEnd}));
  job.plan = flags.plan.empty() ? slurm::PlanOfAdminComment(said[4]) : flags.plan;
  job.start = TimeOf(said[3]);
  if (has_ended && slurm::WasRequeued(said[0], TimeOf(said[5]), session.now()) && slurm::EndAsRequeued(job)) return job;
  if (has_ended) {
    // PrologSlurmctld's environment has the code too, but 0:0 for a job that was cancelled.
    const std::string code = variable("SLURM_JOB_EXIT_CODE2");
    int raw = 0;
    std::string exit_code = said[1];
    if (exit_code.find(':') == std::string::npos && absl::SimpleAtoi(exit_code, &raw))
      exit_code = fmt::format("{}:{}", raw >> 8, raw & 127);
    if (exit_code.empty()) exit_code = code;
    const slurm::JobEnd end = slurm::EndOf(said[0], exit_code, said[2]);
    job.end = end.state;
    job.message = end.message;
  }
  return job;
}

absl::StatusOr<ExitCode> Report(const JobFlags& flags, bool has_ended, Session& session) {
  ASSIGN_OR_RETURN(const slurm::JobReport job, ReportOf(flags, has_ended, session));
  if (job.plan.empty()) return ExitCode::kOk;  // Nothing that was planned.
  ASSIGN_OR_RETURN(const v1::Run run, ReportJob(job, session));
  session.Print(run, [&](std::ostream& out) { PrintRun(run, session.style(), out); });
  return ExitCode::kOk;
}

}  // namespace

void AddSlurmJobCommands(CLI::App& noun, Action& chosen) {
  for (const bool has_ended : {false, true}) {
    const auto flags = std::make_shared<JobFlags>();
    CLI::App& command = *noun.add_subcommand(has_ended ? "job-ended" : "job-started",
                                             has_ended ? "Ends the run of a job: for EpilogSlurmctld"
                                                       : "Begins the run of a planned job: for PrologSlurmctld");
    AddFlag(command, "--job", flags->job, "Number of the job; also SLURM_JOB_ID", "N");
    AddFlag(command, "--plan", flags->plan, "Its plan [the one in its admin_comment]", "PLAN");
    command.callback([flags, has_ended, &chosen] {
      chosen = [flags, has_ended](Session& session) { return Report(*flags, has_ended, session); };
    });
  }
}

}  // namespace planner::plannerctl
