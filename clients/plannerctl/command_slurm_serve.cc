#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/policy_file.h"
#include "clients/plannerctl/slurm_commands.h"
#include "clients/plannerctl/slurm_gate.h"
#include "clients/plannerctl/stop_signal.h"
#include "clients/slurm/answer.h"
#include "clients/slurm/exchange.h"
#include "core/base/new_file.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

struct ServeFlags {
  std::string policy, listen, advice, fallback, budget;
};

/// Whole or not at all: job_submit.lua may read it at any time, as whoever slurmctld runs as.
absl::Status WriteFallback(const std::string& path, const jobs::Policy& policy) {
  if (path.empty()) return absl::OkStatus();
  const absl::Status status = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(base::NewFile file, base::NewFile::Create(path, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH));
    RETURN_IF_ERROR(file.Write(slurm::Encode(slurm::FallbackOf(policy))));
    return file.Finish();
  }();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(fmt::format("--fallback: cannot be written: {}", std::string(status.message())));
}

/// When and how large: what changes where a file is written anew.
std::pair<int64_t, int64_t> Stamp(const std::string& path) {
  struct stat status {};
  if (path.empty() || stat(path.c_str(), &status) != 0) return {0, 0};
  return {int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec, static_cast<int64_t>(status.st_ino)};
}

absl::StatusOr<ExitCode> Serve(const ServeFlags& flags, Session& session) {
  absl::Duration budget = absl::Milliseconds(170);
  RETURN_IF_ERROR(FillFlag("--budget", flags.budget, ParseDuration, [&](absl::Duration value) { budget = value; }));
  if (flags.listen.empty() && flags.advice.empty())
    return absl::InvalidArgumentError("--listen or --advice: is missing");
  std::pair<int64_t, int64_t> stamp = Stamp(flags.policy);
  ASSIGN_OR_RETURN(jobs::Policy policy, ReadPolicy(flags.policy, session.in()));
  RETURN_IF_ERROR(WriteFallback(flags.fallback, policy));
  ASSIGN_OR_RETURN(const auto gate, SlurmGate::Open(std::move(policy), budget, session));
  std::unique_ptr<slurm::Exchange> submissions, advice;
  if (!flags.listen.empty()) {
    ASSIGN_OR_RETURN(submissions,
                     slurm::Exchange::Listen({.path = flags.listen, .mode = 0600}, [&](const std::string& question) {
                       return gate->Answer(question, /*is_advice=*/false);
                     }));
  }
  if (!flags.advice.empty()) {
    // Fewer at once than submissions, which it must not hold up.
    ASSIGN_OR_RETURN(advice, slurm::Exchange::Listen({.path = flags.advice, .mode = 0666, .most_connections = 4},
                                                     [&](const std::string& question) {
                                                       return gate->Answer(question, /*is_advice=*/true);
                                                     }));
  }
  // Not being there is no reason not to start: it is asked again with every job.
  const absl::Status warm = gate->WarmUp(absl::Seconds(5));
  if (!warm.ok()) session.Warn(fmt::format("the planner does not answer yet: {}", std::string(warm.message())));
  WaitForStopSignal(absl::ZeroDuration());  // From here on a signal lets it drain.
  session.out() << "ready\n" << std::flush;
  while (!WaitForStopSignal(absl::Seconds(1))) {
    const std::pair<int64_t, int64_t> now = Stamp(flags.policy);
    if (now == stamp || now.second == 0) continue;
    stamp = now;
    absl::StatusOr<jobs::Policy> changed = ReadPolicy(flags.policy, session.in());
    if (!changed.ok()) {
      session.Warn(fmt::format("the changed policy is not used: {}", std::string(changed.status().message())));
      continue;
    }
    const absl::Status written = WriteFallback(flags.fallback, *changed);
    if (!written.ok()) session.Warn(std::string(written.message()));
    gate->SetPolicy(*std::move(changed));
    session.out() << "policy read again\n" << std::flush;
  }
  session.out() << "draining\n" << std::flush;
  return ExitCode::kOk;  // What was asked is answered by the sockets' end.
}

absl::StatusOr<ExitCode> CheckPolicy(const std::string& path, const std::string& fallback, Session& session) {
  ASSIGN_OR_RETURN(const jobs::Policy policy, ReadPolicy(path, session.in()));
  RETURN_IF_ERROR(WriteFallback(fallback, policy));
  session.out() << fmt::format("the policy can be used: {} partitions are named\n", policy.partitions.size());
  return ExitCode::kOk;
}

}  // namespace

void AddSlurmServeCommands(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App& serve =
      *noun.add_subcommand("serve", "Answers job_submit.lua and cli_filter.lua on Unix sockets, until it is ended");
  AddFlag(serve, "--policy", flags->policy, "The site's policy; read again when it changes [advise on everything]",
          "FILE");
  AddFlag(serve, "--listen", flags->listen, "Socket for job_submit.lua: only for the user who runs this", "PATH");
  AddFlag(serve, "--advice", flags->advice, "Socket for cli_filter.lua: for everybody; advice alone", "PATH");
  AddFlag(serve, "--fallback", flags->fallback,
          "Where job_submit.lua reads what to do while nobody answers; written from the policy", "FILE");
  AddFlag(serve, "--budget", flags->budget, "How long the planner may take for a job [170ms]", "DURATION");
  serve.callback([flags, &chosen] { chosen = [flags](Session& session) { return Serve(*flags, session); }; });

  struct PolicyFlags {
    std::string file, fallback;
  };
  const auto policy = std::make_shared<PolicyFlags>();
  CLI::App& check = *noun.add_subcommand("check-policy",
                                         "Whether a policy can be used; what is wrong with it, with the field's path");
  check.add_option("file", policy->file, "YAML; - reads standard input")->required()->type_name("FILE");
  AddFlag(check, "--fallback", policy->fallback, "Write what job_submit.lua reads while nobody answers", "FILE");
  check.callback([policy, &chosen] {
    chosen = [policy](Session& session) { return CheckPolicy(policy->file, policy->fallback, session); };
  });
}

}  // namespace planner::plannerctl
