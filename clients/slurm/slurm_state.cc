#include "clients/slurm/slurm_state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "clients/slurm/host_names.h"
#include "clients/slurm/tres.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;
/// Slurm's way to say that a number is not set; larger ones are not set either.
constexpr int64_t kNoValue = 4'294'967'294;

absl::Status Invalid(std::string_view what) { return base::InvalidField("", what); }

/// Whether brackets outside of strings are nested too deeply.
bool IsDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// The list `name` of an answer.
absl::StatusOr<json> ListOf(std::string_view text, const char* name) {
  if (text.size() > kMaxSlurmJsonBytes) return base::InvalidField(name, "Slurm's answer is larger than 256 MiB");
  if (IsDeep(text)) return base::InvalidField(name, "Slurm's answer is nested deeper than 64 levels");
  json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object()) return base::InvalidField(name, "Slurm's answer is no JSON object");
  if (root.contains("errors") && root["errors"].is_array() && !root["errors"].empty()) {
    const json& error = root["errors"][0];
    std::string said = error.is_string() ? error.get<std::string>() : "";
    if (error.is_object() && error.contains("error") && error["error"].is_string())
      said = error["error"].get<std::string>();
    return base::InvalidField(name, fmt::format("Slurm reports an error: {}", said.substr(0, 200)));
  }
  if (!root.contains(name) || !root[name].is_array())
    return base::InvalidField(name, "Slurm's answer has no such list");
  return std::move(root[name]);
}

/// A text; empty where there is none.
absl::StatusOr<std::string> Text(const json& object, const char* name) {
  if (!object.contains(name) || object[name].is_null()) return std::string();
  if (!object[name].is_string()) return base::InvalidField(name, "is no text");
  return object[name].get<std::string>();
}

/// A number, or {"set": true, "infinite": false, "number": 5}. Nothing: not set, or infinite.
absl::StatusOr<std::optional<int64_t>> Number(const json& object, const char* name) {
  if (!object.contains(name) || object[name].is_null()) return std::optional<int64_t>();
  const json* value = &object[name];
  if (value->is_object()) {
    const auto is = [&](const char* flag) {
      return value->contains(flag) && (*value)[flag].is_boolean() && (*value)[flag].get<bool>();
    };
    if (!is("set") || is("infinite")) return std::optional<int64_t>();
    if (!value->contains("number")) return base::InvalidField(name, "has no number");
    value = &(*value)["number"];
  }
  if (value->is_number_unsigned() && value->get<uint64_t>() >= static_cast<uint64_t>(kNoValue))
    return std::optional<int64_t>();
  if (value->is_number_integer()) return std::optional<int64_t>(value->get<int64_t>());
  if (value->is_number_float() && std::abs(value->get<double>()) < 1e15)
    return std::optional<int64_t>(static_cast<int64_t>(value->get<double>()));
  return base::InvalidField(name, "is no number");
}

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

/// All words of a text or of a list of texts, in upper case.
absl::Status AddWords(const json& object, const char* name, std::vector<std::string>& words) {
  if (!object.contains(name) || object[name].is_null()) return absl::OkStatus();
  const json& value = object[name];
  if (value.is_string()) {
    words.push_back(Upper(value.get<std::string>()));
    return absl::OkStatus();
  }
  if (!value.is_array()) return base::InvalidField(name, "is neither a text nor a list of texts");
  for (const json& element : value) {
    if (!element.is_string()) return base::InvalidField(name, "is neither a text nor a list of texts");
    words.push_back(Upper(element.get<std::string>()));
  }
  return absl::OkStatus();
}

bool HasAny(const std::vector<std::string>& words, std::initializer_list<std::string_view> searched) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::find(searched.begin(), searched.end(), word) != searched.end();
  });
}

/// "gpu:a100:8(S:0-1),gpu:h100:2,shard:4" by type. Texts such as "(null)" and "N/A" are none.
absl::StatusOr<std::vector<GpuCount>> GpusOf(const std::string& gres) {
  std::vector<GpuCount> counts;
  std::string part;
  int depth = 0;
  for (size_t i = 0; i <= gres.size(); ++i) {
    const char c = i < gres.size() ? gres[i] : ',';
    if (c == '(') ++depth;
    if (c == ',' && (depth == 0 || i == gres.size())) {
      ASSIGN_OR_RETURN(const std::optional<jobs::GpuRequest> gpus, ParseGpus(part, jobs::GpuScope::kNode));
      if (gpus.has_value()) {
        const auto same =
            std::find_if(counts.begin(), counts.end(), [&](const GpuCount& one) { return one.type == gpus->type; });
        if (same != counts.end()) {
          same->count += gpus->count;
        } else {
          counts.push_back({gpus->type, gpus->count});
        }
      }
      part.clear();
    } else {
      part += c;
    }
    if (c == ')' && depth > 0) --depth;
  }
  return counts;
}

int64_t Sum(const std::vector<GpuCount>& counts) {
  int64_t sum = 0;
  for (const GpuCount& one : counts) sum += one.count;
  return sum;
}

SlurmNode::State NodeStateOf(const std::vector<std::string>& words) {
  // What Slurm would not run a job on, whatever else it says of the node.
  if (HasAny(words, {"DOWN", "ERROR", "FAIL", "FAILED", "FAILING", "NOT_RESPONDING", "NO_RESPOND", "INVALID",
                     "INVALID_REG", "UNKNOWN", "FUTURE", "REBOOT_ISSUED", "POWERING_DOWN"})) {
    return SlurmNode::State::kDown;
  }
  if (HasAny(words,
             {"DRAIN", "DRAINED", "DRAINING", "MAINT", "MAINTENANCE", "REBOOT", "REBOOT_REQUESTED", "RESERVED"})) {
    return SlurmNode::State::kDrained;
  }
  return SlurmNode::State::kReady;
}

absl::StatusOr<SlurmNode> NodeOf(const json& object) {
  if (!object.is_object()) return Invalid("is no object");
  SlurmNode node;
  ASSIGN_OR_RETURN(node.name, Text(object, "name"));
  if (node.name.empty()) return base::InvalidField("name", "is missing");
  ASSIGN_OR_RETURN(const std::string gres, Text(object, "gres"));
  auto gpus = GpusOf(gres);
  if (!gpus.ok()) return base::AtField("gres", gpus.status());
  node.gpus = *std::move(gpus);
  ASSIGN_OR_RETURN(const std::string used, Text(object, "gres_used"));
  auto used_gpus = GpusOf(used);
  if (!used_gpus.ok()) return base::AtField("gres_used", used_gpus.status());
  node.gpus_used = Sum(*used_gpus);
  std::vector<std::string> words;
  RETURN_IF_ERROR(AddWords(object, "state", words));
  RETURN_IF_ERROR(AddWords(object, "state_flags", words));
  if (words.empty()) return base::InvalidField("state", "is missing");
  node.state = NodeStateOf(words);
  for (const std::string& word : words) node.state_text += (node.state_text.empty() ? "" : "+") + word;
  ASSIGN_OR_RETURN(node.reason, Text(object, "reason"));
  return node;
}

SlurmJob::State JobStateOf(const std::vector<std::string>& words) {
  if (HasAny(words, {"TIMEOUT", "DEADLINE"})) return SlurmJob::State::kTimeout;
  if (HasAny(words, {"CANCELLED", "PREEMPTED", "REVOKED"})) return SlurmJob::State::kCancelled;
  if (HasAny(words, {"FAILED", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "LAUNCH_FAILED"}))
    return SlurmJob::State::kFailed;
  // A job that completes still holds its GPUs; squeue of 22.05 calls that a state, newer ones a flag beside the state.
  if (HasAny(words, {"RUNNING", "SUSPENDED", "STOPPED", "CONFIGURING", "SIGNALING", "STAGE_OUT"}))
    return SlurmJob::State::kRunning;
  if (HasAny(words, {"COMPLETED"})) return SlurmJob::State::kCompleted;
  if (HasAny(words, {"COMPLETING"})) return SlurmJob::State::kRunning;
  return SlurmJob::State::kPending;
}

absl::StatusOr<SlurmJob> JobOf(const json& object) {
  if (!object.is_object()) return Invalid("is no object");
  SlurmJob job;
  ASSIGN_OR_RETURN(const std::optional<int64_t> id, Number(object, "job_id"));
  if (!id.has_value()) return base::InvalidField("job_id", "is missing");
  job.id = *id;
  ASSIGN_OR_RETURN(const std::optional<int64_t> restarts, Number(object, "restart_cnt"));
  job.restarts = restarts.value_or(0);
  ASSIGN_OR_RETURN(job.name, Text(object, "name"));
  ASSIGN_OR_RETURN(job.user, Text(object, "user_name"));
  ASSIGN_OR_RETURN(job.account, Text(object, "account"));
  ASSIGN_OR_RETURN(job.partition, Text(object, "partition"));
  ASSIGN_OR_RETURN(job.cluster, Text(object, "cluster"));
  ASSIGN_OR_RETURN(job.admin_comment, Text(object, "admin_comment"));
  std::vector<std::string> words;
  RETURN_IF_ERROR(AddWords(object, "job_state", words));
  if (words.empty()) return base::InvalidField("job_state", "is missing");
  job.state = JobStateOf(words);
  ASSIGN_OR_RETURN(const std::optional<int64_t> start, Number(object, "start_time"));
  if (start.value_or(0) > 0) job.start = absl::FromUnixSeconds(*start);
  ASSIGN_OR_RETURN(const std::optional<int64_t> end, Number(object, "end_time"));
  if (end.value_or(0) > 0) job.end = absl::FromUnixSeconds(*end);
  // A job without a limit ends, says Slurm, in a year.
  ASSIGN_OR_RETURN(const std::optional<int64_t> limit, Number(object, "time_limit"));
  if (job.state == SlurmJob::State::kRunning && !limit.has_value()) job.end = absl::InfiniteFuture();
  if (job.state != SlurmJob::State::kRunning) return job;  // What has ended, or has not begun, is on no node.
  ASSIGN_OR_RETURN(const std::string nodes, Text(object, "nodes"));
  auto names = HostNames(nodes);
  if (!names.ok()) return base::AtField("nodes", names.status());
  job.nodes = *std::move(names);
  if (!object.contains("gres_detail") || object["gres_detail"].is_null()) return job;
  if (!object["gres_detail"].is_array()) return base::InvalidField("gres_detail", "is no list");
  const json& details = object["gres_detail"];
  if (details.empty() || job.nodes.empty()) return job;
  if (details.size() != job.nodes.size()) return base::InvalidField("gres_detail", "has not one entry a node");
  for (size_t i = 0; i < details.size(); ++i) {
    const std::string field = fmt::format("gres_detail[{}]", i);
    if (!details[i].is_string()) return base::InvalidField(field, "is no text");
    auto gpus = GpusOf(details[i].get<std::string>());
    if (!gpus.ok()) return base::AtField(field, gpus.status());
    job.gpus.push_back(Sum(*gpus));
  }
  return job;
}

template <typename Element>
absl::StatusOr<std::vector<Element>> Elements(std::string_view text, const char* name,
                                              absl::StatusOr<Element> (*read)(const json&)) {
  ASSIGN_OR_RETURN(const json list, ListOf(text, name));
  std::vector<Element> elements;
  for (size_t i = 0; i < list.size(); ++i) {
    absl::StatusOr<Element> element = read(list[i]);
    if (!element.ok()) return base::AtField(fmt::format("{}[{}]", name, i), element.status());
    elements.push_back(*std::move(element));
  }
  return elements;
}

}  // namespace

absl::StatusOr<std::vector<SlurmNode>> ParseNodes(std::string_view json) {
  return Elements<SlurmNode>(json, "nodes", NodeOf);
}

absl::StatusOr<std::vector<SlurmJob>> ParseJobs(std::string_view json) {
  return Elements<SlurmJob>(json, "jobs", JobOf);
}

}  // namespace planner::slurm
