#include "clients/slurm/submission.h"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "clients/jobs/time_limit.h"
#include "clients/slurm/job_words.h"
#include "clients/slurm/tres.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::slurm {
namespace {

constexpr int64_t kNoValue16 = 65'534;
constexpr int64_t kNoValue32 = 4'294'967'294;
constexpr size_t kMaxName = 256;

/// "4", or the first number of "2-4". Nothing for what Slurm has not set.
absl::StatusOr<std::optional<int64_t>> Number(std::string_view text, int64_t unset) {
  if (text.empty()) return std::optional<int64_t>();
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_range = end != text.data() + text.size() && *end == '-';
  if (error != std::errc() || (end != text.data() + text.size() && !is_range) || value < 0) {
    return absl::InvalidArgumentError("is no number");
  }
  if (value >= unset) return std::optional<int64_t>();
  return std::optional<int64_t>(value);
}

absl::StatusOr<std::optional<absl::Duration>> Limit(std::string_view text) {
  // job_desc's own number where none was set, or no end.
  const absl::StatusOr<std::optional<int64_t>> raw = Number(text, kNoValue32);
  if (raw.ok() && !raw->has_value()) return std::optional<absl::Duration>();
  ASSIGN_OR_RETURN(const std::optional<int64_t> minutes, jobs::ParseTimeLimit(text));
  if (!minutes.has_value() || *minutes == 0) return std::optional<absl::Duration>();
  return std::optional<absl::Duration>(absl::Minutes(*minutes));
}

}  // namespace

absl::StatusOr<jobs::Job> ReadSubmission(const Fields& fields) {
  jobs::Job job;
  job.wording = {.job = "slurm job", .ask_for_gpu_type = "ask for gpu:TYPE:COUNT", .time_option = "--time="};
  job.is_advice = ValueOf(fields, "advice") == "1";
  for (const auto& [name, text] : {std::pair("partition", &job.partition), std::pair("account", &job.account),
                                   std::pair("user", &job.user), std::pair("name", &job.name)}) {
    *text = std::string(ValueOf(fields, name).substr(0, kMaxName));
  }
  constexpr std::array<std::pair<std::string_view, jobs::GpuScope>, 9> kGpus = {
      {{"tres_per_job", jobs::GpuScope::kJob},
       {"tres_per_node", jobs::GpuScope::kNode},
       {"tres_per_socket", jobs::GpuScope::kSocket},
       {"tres_per_task", jobs::GpuScope::kTask},
       {"gpus", jobs::GpuScope::kJob},
       {"gpus_per_node", jobs::GpuScope::kNode},
       {"gres", jobs::GpuScope::kNode},
       {"gpus_per_socket", jobs::GpuScope::kSocket},
       {"gpus_per_task", jobs::GpuScope::kTask}}};
  for (const auto& [name, scope] : kGpus) {
    const std::string_view text = ValueOf(fields, name);
    // Of --gpus with --gpus-per-node the first one says it all: Slurm has checked that they agree.
    if (job.gpus.has_value() || text.empty()) continue;
    const bool is_list = name.starts_with("tres") || name == "gres";
    auto gpus = is_list ? ParseGpus(text, scope) : ParseGpuOption(text, scope);
    if (!gpus.ok()) return base::AtField(name, gpus.status());
    job.gpus = *std::move(gpus);
  }
  const std::array<std::tuple<std::string_view, std::optional<int64_t>*, int64_t>, 4> numbers = {
      {{"nodes", &job.size.nodes, kNoValue32},
       {"tasks", &job.size.tasks, kNoValue32},
       {"tasks_per_node", &job.size.tasks_per_node, kNoValue16},
       {"sockets_per_node", &job.size.sockets_per_node, kNoValue16}}};
  for (const auto& [name, value, unset] : numbers) {
    auto number = Number(ValueOf(fields, name), unset);
    if (!number.ok()) return base::AtField(name, number.status());
    *value = *number;
  }
  job.size.has_whole_nodes = ValueOf(fields, "exclusive") == "1";
  for (const auto& [name, value] :
       {std::pair("time_limit", &job.time_limit), std::pair("partition_time_limit", &job.partition_time_limit)}) {
    auto limit = Limit(ValueOf(fields, name));
    if (!limit.ok()) return base::AtField(name, limit.status());
    *value = *limit;
  }
  auto words = WordsOfComment(ValueOf(fields, "comment"));
  if (!words.ok()) return base::AtField("comment", words.status());
  Fields environment;
  for (const auto& [name, value] : fields) {
    if (name.starts_with("env.")) environment.emplace_back(name.substr(4), value);
  }
  auto more = WordsOfEnvironment(environment);
  if (!more.ok()) return base::AtField("environment", more.status());
  job.words = *std::move(words);
  job.words.merge(*more);  // What the comment says holds.
  return job;
}

}  // namespace planner::slurm
