#include "clients/slurm/job_report.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "clients/slurm/job_words.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

constexpr size_t kMostName = 200;

std::string Clean(std::string_view text) {
  std::string clean;
  for (const char c : text.substr(0, kMostName))
    clean += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
  return clean;
}

}  // namespace

std::string PlanOfAdminComment(std::string_view admin_comment) {
  const absl::StatusOr<jobs::JobWords> words = WordsOfComment(admin_comment);
  if (!words.ok()) return "";
  const auto plan = words->find("plan");
  return plan != words->end() && plan->second.starts_with("plans/") ? plan->second : "";
}

std::string RunDescriptionOf(const JobReport& job) {
  return fmt::format("slurm job {}{}{}", Clean(job.id), job.restarts == "0" ? "" : " restart " + Clean(job.restarts),
                     job.cluster.empty() ? "" : " of " + Clean(job.cluster));
}

v1::StartRunRequest StartRequestOf(const JobReport& job) {
  v1::StartRunRequest request;
  v1::Run& run = *request.mutable_run();
  run.set_plan(job.plan);
  run.set_description(RunDescriptionOf(job) + (job.name.empty() ? "" : ": " + Clean(job.name)));
  if (job.start != absl::InfinitePast()) run.mutable_start_time()->set_seconds(absl::ToUnixSeconds(job.start));
  request.set_request_id(
      fmt::format("slurm-{}-{}-{}-{}", job.cluster.substr(0, 32), job.id.substr(0, 20), job.restarts.substr(0, 10),
                  std::string_view(job.plan).substr(std::min<size_t>(job.plan.find('/') + 1, job.plan.size()), 40)));
  return request;
}

bool WasRequeued(std::string_view state, absl::Time end, absl::Time now) {
  if (state == "COMPLETING") return end == absl::InfinitePast() || end > now;
  for (const std::string_view waits :
       {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "CONFIGURING", "RUNNING"}) {
    if (state == waits) return true;
  }
  return false;
}

bool EndAsRequeued(JobReport& job) {
  int64_t restarts = 0;
  if (!absl::SimpleAtoi(job.restarts, &restarts) || restarts < 1) return false;
  job.restarts = std::to_string(restarts - 1);
  job.start = absl::InfinitePast();
  job.end = v1::Run::CANCELLED;
  job.message = "requeued";
  return true;
}

JobEnd EndOf(std::string_view state, std::string_view exit_code, std::string_view reason) {
  const std::string said =
      fmt::format("exit code {}{}{}", Clean(exit_code), reason.empty() || reason == "None" ? "" : ", ",
                  reason == "None" ? "" : Clean(reason));
  if (state == "TIMEOUT" || reason == "TimeLimit") return {v1::Run::FAILED, "ended at its time limit"};
  if (state == "CANCELLED" || state == "PREEMPTED")
    return {v1::Run::CANCELLED, fmt::format("{}, {}", state == "CANCELLED" ? "cancelled" : "preempted", said)};
  if (state == "NODE_FAIL") return {v1::Run::FAILED, "a node has failed"};
  // scancel ends a job by SIGTERM; while it completes, Slurm says no more of it than that.
  if (exit_code == "0:15") return {v1::Run::CANCELLED, "ended by SIGTERM"};
  if (state == "FAILED" || state == "OUT_OF_MEMORY" || state == "BOOT_FAIL" || exit_code != "0:0")
    return {v1::Run::FAILED, said};
  return {v1::Run::SUCCEEDED, said};
}

}  // namespace planner::slurm
