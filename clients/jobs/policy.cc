#include "clients/jobs/policy.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <set>
#include <utility>

#include "clients/jobs/time_limit.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::jobs {
namespace {

/// YAML would have the first one hold, or the last one: whoever wrote both means both.
constexpr char kTwice[] = "is there twice";

/// Reads one value; its error has no field yet.
using Reader = std::function<absl::Status(const YAML::Node&)>;
using Readers = std::map<std::string, Reader>;

absl::Status Invalid(std::string_view what) { return base::InvalidField("", what); }

absl::Status ReadMap(const YAML::Node& node, const Readers& readers) {
  if (!node.IsMap()) return Invalid("is not a map of names to values");
  std::set<std::string> seen;
  for (const auto& member : node) {
    if (!member.first.IsScalar()) return Invalid("has a name that is none");
    const std::string& name = member.first.Scalar();
    if (!seen.insert(name).second) return base::InvalidField(name, kTwice);
    const auto reader = readers.find(name);
    if (reader == readers.end()) {
      std::vector<std::string> known;
      for (const auto& [one, unused] : readers) known.push_back(one);
      const std::string likely = base::LikelyName(name, known);
      return base::InvalidField(name, likely.empty()
                                          ? "is no field of a policy"
                                          : fmt::format("is no field of a policy; did you mean {}?", likely));
    }
    RETURN_IF_ERROR(base::AtField(name, reader->second(member.second)));
  }
  return absl::OkStatus();
}

template <typename Enum, size_t kSize>
Reader Word(Enum& value, const std::array<std::pair<std::string_view, Enum>, kSize>& words) {
  return [&value, &words](const YAML::Node& node) -> absl::Status {
    std::string known;
    for (const auto& [word, meant] : words) {
      if (node.IsScalar() && node.Scalar() == word) {
        value = meant;
        return absl::OkStatus();
      }
      known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
    }
    return Invalid(fmt::format("is none of {}: value=\"{}\"", known, node.IsScalar() ? node.Scalar() : ""));
  };
}

constexpr std::array<std::pair<std::string_view, Mode>, 5> kModes = {{{"off", Mode::kOff},
                                                                      {"advise", Mode::kAdvise},
                                                                      {"amend", Mode::kAmend},
                                                                      {"enforce", Mode::kEnforce},
                                                                      {"false", Mode::kOff}}};
constexpr std::array<std::pair<std::string_view, OnFailure>, 2> kFailures = {
    {{"open", OnFailure::kOpen}, {"closed", OnFailure::kClosed}}};
constexpr std::array<std::pair<std::string_view, TimeChange>, 3> kTimes = {
    {{"keep", TimeChange::kKeep}, {"fill", TimeChange::kFill}, {"cap", TimeChange::kCap}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kBools = {{{"true", true}, {"false", false}}};

Reader Text(std::string& value) {
  return [&value](const YAML::Node& node) -> absl::Status {
    if (!node.IsScalar() || node.Scalar().empty()) return Invalid("is not a name");
    if (node.Scalar().size() > 256) return Invalid("is longer than 256 bytes");
    value = node.Scalar();
    return absl::OkStatus();
  };
}

/// "7-00:00:00" and so on as Slurm takes it.
absl::StatusOr<absl::Duration> TimeOf(const YAML::Node& node) {
  if (!node.IsScalar()) return Invalid("is no time; write 7-00:00:00, 36:00:00 or minutes");
  const auto minutes = ParseTimeLimit(node.Scalar());
  if (!minutes.ok() || !minutes->has_value() || **minutes < 1) {
    return Invalid(fmt::format("is no time; write 7-00:00:00, 36:00:00 or minutes: value=\"{}\"", node.Scalar()));
  }
  return absl::Minutes(**minutes);
}

Reader Count(int64_t& value, int64_t most) {
  return [&value, most](const YAML::Node& node) -> absl::Status {
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    int64_t read = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || read < 1 || read > most) {
      return Invalid(fmt::format("must be from 1 to {}: value=\"{}\"", most, text));
    }
    value = read;
    return absl::OkStatus();
  };
}

Reader Factor(double& value) {
  return [&value](const YAML::Node& node) -> absl::Status {
    double read = 0;
    if (!node.IsScalar() || !YAML::convert<double>::decode(node, read) || !(read >= 1 && read <= 10)) {
      return Invalid(fmt::format("must be from 1 to 10: value=\"{}\"", node.IsScalar() ? node.Scalar() : ""));
    }
    value = read;
    return absl::OkStatus();
  };
}

absl::Status ReadPartition(const YAML::Node& node, PartitionPolicy& partition) {
  const Readers readers = {
      {"mode", Word(partition.mode, kModes)},
      {"on_failure", Word(partition.on_failure, kFailures)},
      {"max_time",
       [&](const YAML::Node& value) -> absl::Status {
         ASSIGN_OR_RETURN(partition.max_time, TimeOf(value));
         return absl::OkStatus();
       }},
      {"min_time",
       [&](const YAML::Node& value) -> absl::Status {
         ASSIGN_OR_RETURN(partition.min_time, TimeOf(value));
         return absl::OkStatus();
       }},
      {"max_gpus", Count(partition.max_gpus, 1'000'000)},
      {"gpus_per_node",
       [&](const YAML::Node& value) {
         partition.says_gpus_per_node = true;
         return Count(partition.gpus_per_node, 1024)(value);
       }},
      {"time_margin", Factor(partition.time_margin)},
      {"change",
       [&](const YAML::Node& value) {
         return ReadMap(value, {{"time", Word(partition.time, kTimes)},
                                {"count", Word(partition.change_count, kBools)},
                                {"type", Word(partition.change_type, kBools)}});
       }},
  };
  RETURN_IF_ERROR(ReadMap(node, readers));
  if (partition.max_time.has_value() && *partition.max_time < partition.min_time) {
    return base::InvalidField("max_time", "is shorter than min_time");
  }
  return absl::OkStatus();
}

absl::Status ReadPolicy(const YAML::Node& root, Policy& policy) {
  std::vector<std::pair<std::string, YAML::Node>> partitions;
  const auto texts = [](std::vector<std::string>& list) -> Reader {
    return [&list](const YAML::Node& node) -> absl::Status {
      if (!node.IsSequence()) return Invalid("is not a list");
      for (size_t i = 0; i < node.size(); ++i) {
        RETURN_IF_ERROR(base::AtField(fmt::format("[{}]", i), Text(list.emplace_back())(node[i])));
      }
      return absl::OkStatus();
    };
  };
  const absl::Status read =
      ReadMap(root, {{"cluster", Text(policy.cluster)},
                     {"default_gpu_type", Text(policy.default_gpu_type)},
                     {"model_folders", texts(policy.model_folders)},
                     {"gpu_types",
                      [&](const YAML::Node& node) -> absl::Status {
                        if (!node.IsMap()) return Invalid("is not a map of the scheduler's names to the planner's");
                        for (const auto& member : node) {
                          if (!member.first.IsScalar()) return Invalid("has a name that is none");
                          if (policy.gpu_types.contains(member.first.Scalar()))
                            return base::InvalidField(member.first.Scalar(), kTwice);
                          RETURN_IF_ERROR(base::AtField(member.first.Scalar(),
                                                        Text(policy.gpu_types[member.first.Scalar()])(member.second)));
                        }
                        return absl::OkStatus();
                      }},
                     {"default", [&](const YAML::Node& node) { return ReadPartition(node, policy.other); }},
                     {"partitions", [&](const YAML::Node& node) -> absl::Status {
                        if (!node.IsMap()) return Invalid("is not a map of partitions");
                        for (const auto& member : node) {
                          if (!member.first.IsScalar() || member.first.Scalar().size() > 64)
                            return Invalid("has a name that is none");
                          partitions.emplace_back(member.first.Scalar(), member.second);
                        }
                        return absl::OkStatus();
                      }}});
  if (!read.ok()) return read;
  for (const auto& [name, node] : partitions) {  // After "default", wherever that stands: what they do not say is its.
    const auto [place, is_new] = policy.partitions.emplace(name, policy.other);
    if (!is_new) return base::InvalidField("partitions." + name, kTwice);
    PartitionPolicy& partition = place->second;
    RETURN_IF_ERROR(base::AtField("partitions." + name, ReadPartition(node, partition)));
  }
  for (size_t i = 0; i < policy.model_folders.size(); ++i) {
    if (policy.model_folders[i].front() != '/')
      return base::InvalidField(fmt::format("model_folders[{}]", i), "is no absolute path");
  }
  return absl::OkStatus();
}

/// Of two partitions that a job may start in. What happens without an answer is a rule only where there are rules at all.
PartitionPolicy Strictest(const PartitionPolicy& a, const PartitionPolicy& b) {
  const auto is_closed = [](const PartitionPolicy& one) {
    return one.mode != Mode::kOff && one.on_failure == OnFailure::kClosed;
  };
  PartitionPolicy both;
  both.mode = std::max(a.mode, b.mode);
  both.on_failure = is_closed(a) || is_closed(b) ? OnFailure::kClosed : OnFailure::kOpen;
  both.time = std::min(a.time, b.time);
  both.change_count = a.change_count && b.change_count;
  both.change_type = a.change_type && b.change_type;
  if (a.max_time.has_value() && b.max_time.has_value()) both.max_time = std::max(*a.max_time, *b.max_time);
  both.max_gpus = std::min(a.max_gpus, b.max_gpus);
  both.time_margin = std::max(a.time_margin, b.time_margin);
  both.min_time = std::max(a.min_time, b.min_time);
  both.gpus_per_node = std::min(a.gpus_per_node, b.gpus_per_node);
  both.says_gpus_per_node = a.says_gpus_per_node && b.says_gpus_per_node && a.gpus_per_node == b.gpus_per_node;
  return both;
}

}  // namespace

PartitionPolicy Policy::Of(const std::string& partition) const {
  const auto of_one = [this](const std::string& name) -> const PartitionPolicy& {
    const auto found = partitions.find(name);
    return found == partitions.end() ? other : found->second;
  };
  if (partition.find(',') == std::string::npos || partitions.contains(partition)) return of_one(partition);
  std::optional<PartitionPolicy> strictest;
  for (size_t begin = 0; begin < partition.size();) {
    const size_t end = std::min(partition.find(',', begin), partition.size());
    if (end > begin) {
      const PartitionPolicy& one = of_one(partition.substr(begin, end - begin));
      strictest = strictest.has_value() ? Strictest(*strictest, one) : one;
    }
    begin = end + 1;
  }
  return strictest.value_or(other);
}

std::string Policy::PlannerType(const std::string& slurm_type) const {
  const auto found = gpu_types.find(slurm_type);
  return found == gpu_types.end() ? slurm_type : found->second;
}

absl::StatusOr<Policy> ParsePolicy(const std::string& text) {
  if (text.size() > kMaxPolicyBytes) return base::InvalidField("policy", "is larger than 1 MiB");
  Policy policy;
  try {  // yaml-cpp reports by exceptions.
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return policy;
    if (!root.IsMap()) return base::InvalidField("policy", "is not a map of names to values");
    RETURN_IF_ERROR(ReadPolicy(root, policy));
  } catch (const YAML::Exception& error) {
    return base::InvalidField("policy", fmt::format("is not valid YAML: {}", error.what()));
  }
  return policy;
}

}  // namespace planner::jobs
