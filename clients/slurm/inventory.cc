#include "clients/slurm/inventory.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "clients/slurm/host_names.h"
#include "clients/slurm/job_report.h"
#include "core/base/error.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

constexpr int kMostEntries = 10'000;  // Of a pool's conditions, and of its occupations: what the API takes.
constexpr size_t kMostText = 200;

void SetTime(absl::Time time, google::protobuf::Timestamp& proto) {
  proto.set_seconds(absl::ToUnixSeconds(time));
  proto.set_nanos(0);
}

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// Text of users and administrators that goes into a description.
std::string Short(const std::string& text) {
  std::string clean;
  for (const char c : text.substr(0, kMostText))
    clean += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
  return clean;
}

bool IsTenant(const std::string& name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

/// Equal nodes on their way to a pool.
struct Group {
  std::string type;
  int64_t gpus = 0;
  std::vector<const SlurmNode*> nodes;
};

void AddConditions(const Group& group, v1::NodePool& pool) {
  std::map<std::tuple<v1::NodeCondition::State, std::string>, std::vector<std::string>> conditions;
  for (const SlurmNode* node : group.nodes) {
    if (node->state == SlurmNode::State::kReady) continue;
    const auto state = node->state == SlurmNode::State::kDown ? v1::NodeCondition::DOWN : v1::NodeCondition::DRAINED;
    const std::string reason = Short(node->state_text + (node->reason.empty() ? "" : ": " + node->reason));
    conditions[{state, reason}].push_back(node->name);
  }
  for (auto& [key, names] : conditions) {
    v1::NodeCondition& condition = *pool.add_node_conditions();
    condition.set_nodes(HostListOf(std::move(names)));
    condition.set_state(std::get<0>(key));
    condition.set_reason(std::get<1>(key));
  }
}

/// Free and used GPUs of a pool's nodes while jobs are put on them.
class Seats {
 public:
  explicit Seats(const Group& group) {
    for (const SlurmNode* node : group.nodes) free_[node->name] = group.gpus;
  }
  bool Has(const std::string& node) const { return free_.contains(node); }
  /// As many of `count` as are free.
  int64_t Take(const std::string& node, int64_t count) {
    int64_t& free = free_[node];
    const int64_t taken = std::min(count, free);
    free -= taken;
    return taken;
  }
  int64_t Free(const std::string& node) const { return free_.at(node); }

 private:
  std::map<std::string, int64_t> free_;
};

void AddJob(const SlurmJob& job, absl::Time now, Seats& seats, v1::NodePool& pool) {
  std::map<int64_t, std::vector<std::string>> by_count;
  for (size_t i = 0; i < job.nodes.size() && i < job.gpus.size(); ++i) {
    if (!seats.Has(job.nodes[i]) || job.gpus[i] == 0) continue;
    const int64_t taken = seats.Take(job.nodes[i], job.gpus[i]);
    if (taken > 0) by_count[taken].push_back(job.nodes[i]);
  }
  for (auto& [count, names] : by_count) {
    v1::Occupation& occupation = *pool.add_occupations();
    occupation.set_nodes(HostListOf(std::move(names)));
    occupation.set_gpus_per_node(static_cast<int32_t>(count));
    // One that is over its time and still there is about to end, but nobody knows when.
    if (job.end > now && job.end != absl::InfiniteFuture()) SetTime(job.end, *occupation.mutable_release_time());
    if (IsTenant(job.account)) occupation.set_tenant(job.account);
    // Its reservation stands for it, where it has one.
    occupation.set_plan(job.plan.empty() ? PlanOfAdminComment(job.admin_comment) : job.plan);
    const std::string made = fmt::format("slurm job {}{}{}", job.id, job.user.empty() ? "" : " of " + job.user,
                                         job.name.empty() ? "" : ": " + job.name);
    occupation.set_description(Short(job.description.empty() ? made : job.description));
  }
}

void AddUnknownUse(const Group& group, Seats& seats, v1::NodePool& pool) {
  std::map<int64_t, std::vector<std::string>> by_count;
  for (const SlurmNode* node : group.nodes) {
    const int64_t unknown = std::min(node->gpus_used, group.gpus) - (group.gpus - seats.Free(node->name));
    if (unknown > 0) by_count[unknown].push_back(node->name);
  }
  for (auto& [count, names] : by_count) {
    v1::Occupation& occupation = *pool.add_occupations();
    occupation.set_nodes(HostListOf(std::move(names)));
    occupation.set_gpus_per_node(static_cast<int32_t>(count));
    occupation.set_description("in use, by no job that is told of");
  }
}

}  // namespace

absl::StatusOr<Inventory> InventoryOf(v1::Cluster before, const std::vector<SlurmNode>& nodes,
                                      const std::vector<SlurmJob>& jobs, absl::Time now,
                                      const InventoryOptions& options) {
  Inventory inventory;
  std::map<std::pair<std::string, int64_t>, Group> groups;
  std::set<std::string> seen;
  for (const SlurmNode& node : nodes) {
    if (node.gpus.empty()) continue;
    if (!seen.insert(node.name).second)
      return base::InvalidField("nodes", fmt::format("is there twice: node=\"{}\"", node.name));
    const GpuCount& most = *std::max_element(node.gpus.begin(), node.gpus.end(),
                                             [](const GpuCount& a, const GpuCount& b) { return a.count < b.count; });
    if (node.gpus.size() > 1) {
      inventory.warnings.push_back(
          fmt::format("{} has GPUs of several types: only its {} are told of", node.name, most.type));
    }
    Group& group = groups[{most.type, most.count}];
    group.type = most.type;
    group.gpus = most.count;
    group.nodes.push_back(&node);
  }
  if (groups.empty()) return absl::FailedPreconditionError("there is no node with GPUs; the inventory stays as it is");
  const std::vector<v1::NodePool> old_pools(before.node_pools().begin(), before.node_pools().end());
  inventory.cluster = std::move(before);
  inventory.cluster.clear_node_pools();
  std::map<std::string, int> sizes_of_type;
  for (const auto& [key, group] : groups) ++sizes_of_type[key.first];
  for (const auto& [key, group] : groups) {
    const std::string stem = Lower(group.type.empty() ? "gpu" : group.type);
    const std::string name = sizes_of_type[key.first] > 1 ? fmt::format("{}-{}", stem, group.gpus) : stem;
    v1::NodePool pool;
    const auto old =
        std::find_if(old_pools.begin(), old_pools.end(), [&](const v1::NodePool& one) { return one.name() == name; });
    if (old != old_pools.end()) pool = *old;
    pool.clear_status();
    pool.clear_node_conditions();
    pool.clear_occupations();
    pool.set_name(name);
    const auto type = options.gpu_types.find(group.type);
    // A pool's own type stays unless it is named: an administrator may have said it better than Slurm's short name.
    if (type != options.gpu_types.end()) {
      pool.set_gpu_type(type->second);
    } else if (pool.gpu_type().empty()) {
      if (group.type.empty())
        return base::InvalidField("gpu_types", "Slurm's GPUs have no type: name theirs with --gpu-type =TYPE");
      pool.set_gpu_type(group.type);
    }
    pool.set_node_count(static_cast<int64_t>(group.nodes.size()));
    pool.set_gpus_per_node(static_cast<int32_t>(group.gpus));
    std::vector<std::string> names;
    for (const SlurmNode* node : group.nodes) names.push_back(node->name);
    pool.set_node_names(HostListOf(std::move(names)));
    AddConditions(group, pool);
    Seats seats(group);
    for (const SlurmJob& job : jobs) {
      if (job.state == SlurmJob::State::kRunning) AddJob(job, now, seats, pool);
    }
    AddUnknownUse(group, seats, pool);
    if (pool.node_conditions_size() > kMostEntries || pool.occupations_size() > kMostEntries) {
      return absl::ResourceExhaustedError(fmt::format("pool {} has more than 10,000 jobs or conditions", name));
    }
    *inventory.cluster.add_node_pools() = std::move(pool);
  }
  return inventory;
}

}  // namespace planner::slurm
