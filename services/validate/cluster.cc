#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

constexpr int kMaxPools = 1000;
constexpr size_t kMaxDescriptionBytes = 1000;
constexpr size_t kMaxRequestIdBytes = 128;
/// What a message could hold at all: an update may leave a pool as many entries as it has, which is not told from the request.
constexpr int kMaxNodeEntriesOfUpdate = 1'000'000;
constexpr int kMaxWindows = 1000;
constexpr size_t kMaxHostListBytes = size_t{1} << 20;

absl::Status ValidateCurrency(const std::string& field, std::string_view currency) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (currency.empty() || (currency.size() == 3 && std::all_of(currency.begin(), currency.end(), is_upper))) {
    return absl::OkStatus();
  }
  return base::InvalidField(field, fmt::format("must be an ISO 4217 code, three capital letters: currency=\"{}\"",
                                               currency.substr(0, kMaxNameBytes)));
}

/// Either a list or a number of nodes.
template <typename Entry>
absl::Status ValidateWhich(const std::string& field, const v1::NodePool& pool, const Entry& entry) {
  RETURN_IF_ERROR(Text(field + ".nodes", entry.nodes(), kMaxHostListBytes));
  if (entry.nodes().empty() == !entry.has_node_count()) {
    return base::InvalidField(field + ".nodes", "or node_count must be given, and not both");
  }
  if (entry.has_node_count()) RETURN_IF_ERROR(Between(field + ".node_count", entry.node_count(), 1, pool.node_count()));
  return absl::OkStatus();
}

absl::Status ValidateCondition(const std::string& field, const v1::NodePool& pool, const v1::NodeCondition& condition) {
  RETURN_IF_ERROR(ValidateWhich(field, pool, condition));
  RETURN_IF_ERROR(KnownEnum(field + ".state", condition.state(),
                            v1::NodeCondition::State_IsValid(condition.state()) &&
                                condition.state() != v1::NodeCondition::STATE_UNSPECIFIED));
  if (condition.has_until_time()) RETURN_IF_ERROR(Time(field + ".until_time", condition.until_time()));
  return Text(field + ".reason", condition.reason(), kMaxDescriptionBytes);
}

absl::Status ValidateOccupation(const std::string& field, const v1::NodePool& pool, const v1::Occupation& occupation) {
  RETURN_IF_ERROR(ValidateWhich(field, pool, occupation));
  if (occupation.has_gpus_per_node()) {
    RETURN_IF_ERROR(Between(field + ".gpus_per_node", occupation.gpus_per_node(), 1, 1024));
  }
  if (occupation.has_release_time()) RETURN_IF_ERROR(Time(field + ".release_time", occupation.release_time()));
  if (!occupation.tenant().empty()) RETURN_IF_ERROR(ClusterId(field + ".tenant", occupation.tenant()).status());
  if (!occupation.plan().empty()) RETURN_IF_ERROR(PlanId(field + ".plan", occupation.plan()).status());
  return Text(field + ".description", occupation.description(), kMaxDescriptionBytes);
}

absl::Status ValidatePool(const std::string& field, const v1::NodePool& pool, int most_entries) {
  // A pool's name is written like a cluster's.
  if (!pool.name().empty()) RETURN_IF_ERROR(ClusterId(field + ".name", pool.name()).status());
  if (pool.gpu_type().empty()) return base::InvalidField(field + ".gpu_type", "is missing");
  RETURN_IF_ERROR(Text(field + ".gpu_type", pool.gpu_type(), kMaxNameBytes));
  RETURN_IF_ERROR(Between(field + ".node_count", pool.node_count(), 1, 1'000'000));
  if (pool.has_gpus_per_node()) RETURN_IF_ERROR(Between(field + ".gpus_per_node", pool.gpus_per_node(), 1, 1024));
  if (pool.has_price_per_gpu_hour()) {
    RETURN_IF_ERROR(NotNegative(field + ".price_per_gpu_hour", pool.price_per_gpu_hour(), 1e6));
  }
  if (pool.has_power_watts_per_gpu()) {
    RETURN_IF_ERROR(AboveZero(field + ".power_watts_per_gpu", pool.power_watts_per_gpu(), 1e6));
  }
  if (pool.has_network_bandwidth_bytes_per_second()) {
    RETURN_IF_ERROR(
        AboveZero(field + ".network_bandwidth_bytes_per_second", pool.network_bandwidth_bytes_per_second(), 1e15));
  }
  RETURN_IF_ERROR(Text(field + ".node_names", pool.node_names(), kMaxHostListBytes));
  if (pool.has_nodes_per_rack()) RETURN_IF_ERROR(Between(field + ".nodes_per_rack", pool.nodes_per_rack(), 1, 1'000'000));
  RETURN_IF_ERROR(Between(field + ".node_conditions", pool.node_conditions_size(), 0, most_entries));
  for (int i = 0; i < pool.node_conditions_size(); ++i) {
    RETURN_IF_ERROR(ValidateCondition(fmt::format("{}.node_conditions[{}]", field, i), pool, pool.node_conditions(i)));
  }
  RETURN_IF_ERROR(Between(field + ".occupations", pool.occupations_size(), 0, most_entries));
  for (int i = 0; i < pool.occupations_size(); ++i) {
    RETURN_IF_ERROR(ValidateOccupation(fmt::format("{}.occupations[{}]", field, i), pool, pool.occupations(i)));
  }
  return absl::OkStatus();
}

absl::Status ValidateWindow(const std::string& field, const v1::MaintenanceWindow& window) {
  if (!window.node_pool().empty()) RETURN_IF_ERROR(ClusterId(field + ".node_pool", window.node_pool()).status());
  RETURN_IF_ERROR(Text(field + ".nodes", window.nodes(), kMaxHostListBytes));
  if (!window.nodes().empty() && window.node_pool().empty()) {
    return base::InvalidField(field + ".node_pool", "is missing: nodes are those of a pool");
  }
  RETURN_IF_ERROR(Text(field + ".description", window.description(), kMaxDescriptionBytes));
  if (!window.has_start_time()) return base::InvalidField(field + ".start_time", "is missing");
  if (!window.has_end_time()) return base::InvalidField(field + ".end_time", "is missing");
  return Interval(field, window.start_time(), window.end_time());
}

absl::Status ValidateQuota(const std::string& field, const v1::TenantQuota& quota) {
  RETURN_IF_ERROR(ClusterId(field + ".tenant", quota.tenant()).status());
  if (!quota.node_pool().empty()) RETURN_IF_ERROR(ClusterId(field + ".node_pool", quota.node_pool()).status());
  return Between(field + ".max_gpus", quota.max_gpus(), 0, kMaxGpus);
}

absl::Status ValidateCluster(std::string_view field, const v1::Cluster& cluster, int most_entries) {
  const std::string prefix = std::string(field) + ".";
  RETURN_IF_ERROR(ClusterId(prefix + "name", cluster.name()).status());
  RETURN_IF_ERROR(ValidateCurrency(prefix + "currency", cluster.currency()));
  RETURN_IF_ERROR(Text(prefix + "description", cluster.description(), kMaxDescriptionBytes));
  RETURN_IF_ERROR(Between(prefix + "node_pools", cluster.node_pools_size(), 0, kMaxPools));
  for (int i = 0; i < cluster.node_pools_size(); ++i) {
    RETURN_IF_ERROR(ValidatePool(fmt::format("{}node_pools[{}]", prefix, i), cluster.node_pools(i), most_entries));
  }
  RETURN_IF_ERROR(Between(prefix + "maintenance_windows", cluster.maintenance_windows_size(), 0, kMaxWindows));
  for (int i = 0; i < cluster.maintenance_windows_size(); ++i) {
    RETURN_IF_ERROR(ValidateWindow(fmt::format("{}maintenance_windows[{}]", prefix, i), cluster.maintenance_windows(i)));
  }
  RETURN_IF_ERROR(Between(prefix + "quotas", cluster.quotas_size(), 0, kMaxWindows));
  for (int i = 0; i < cluster.quotas_size(); ++i) {
    RETURN_IF_ERROR(ValidateQuota(fmt::format("{}quotas[{}]", prefix, i), cluster.quotas(i)));
  }
  return absl::OkStatus();
}

/// What an update takes of the cluster that it is given: what it does not take cannot be wrong.
v1::Cluster TakenBy(const v1::UpdateClusterRequest& request) {
  v1::Cluster taken = request.cluster();
  const auto& paths = request.update_mask().paths();
  const auto takes = [&](std::string_view field) {
    return paths.empty() || std::any_of(paths.begin(), paths.end(), [&](const std::string& path) { return path == field || path == "*"; });
  };
  if (!takes("node_pools")) taken.clear_node_pools();
  if (!takes("currency")) taken.clear_currency();
  if (!takes("description")) taken.clear_description();
  if (!takes("maintenance_windows")) taken.clear_maintenance_windows();
  if (!takes("quotas")) taken.clear_quotas();
  return taken;
}

}  // namespace

absl::Status ValidateCluster(std::string_view field, const v1::Cluster& cluster) {
  return ValidateCluster(field, cluster, kMaxNodeEntries);
}

absl::Status Validate(const v1::CreateClusterRequest& request) {
  RETURN_IF_ERROR(Text("request_id", request.request_id(), kMaxRequestIdBytes));
  return ValidateCluster("cluster", request.cluster());
}

absl::Status Validate(const v1::UpdateClusterRequest& request) {
  static const std::set<std::string> kPaths = {"*", "node_pools", "currency", "description", "maintenance_windows", "quotas"};
  for (const std::string& path : request.update_mask().paths()) {
    if (!kPaths.contains(path)) {
      return base::InvalidField("update_mask", fmt::format("must name node_pools, currency, description, maintenance_windows or quotas: path=\"{}\"",
                                                           path.substr(0, kMaxNameBytes)));
    }
  }
  return ValidateCluster("cluster", request.allow_missing() ? request.cluster() : TakenBy(request), kMaxNodeEntriesOfUpdate);
}

absl::Status Validate(const v1::CreateReservationRequest& request) {
  RETURN_IF_ERROR(ClusterId("parent", request.parent()).status());
  RETURN_IF_ERROR(Text("request_id", request.request_id(), kMaxRequestIdBytes));
  if (!request.has_reservation()) return base::InvalidField("reservation", "is missing");
  const v1::Reservation& reservation = request.reservation();
  if (!reservation.node_pool().empty()) {
    RETURN_IF_ERROR(ClusterId("reservation.node_pool", reservation.node_pool()).status());
  }
  RETURN_IF_ERROR(Text("reservation.nodes", reservation.nodes(), kMaxHostListBytes));
  if (reservation.nodes().empty()) {
    RETURN_IF_ERROR(Between("reservation.gpu_count", reservation.gpu_count(), 1, kMaxGpus));
  } else if (reservation.gpu_count() != 0) {
    return base::InvalidField("reservation.gpu_count", "must not be given with nodes, which are taken whole");
  }
  if (!reservation.has_end_time()) return base::InvalidField("reservation.end_time", "is missing");
  if (reservation.has_start_time()) {
    RETURN_IF_ERROR(Interval("reservation", reservation.start_time(), reservation.end_time()));
  }
  RETURN_IF_ERROR(Time("reservation.end_time", reservation.end_time()));
  if (reservation.has_expire_time()) RETURN_IF_ERROR(Time("reservation.expire_time", reservation.expire_time()));
  if (!reservation.tenant().empty()) RETURN_IF_ERROR(ClusterId("reservation.tenant", reservation.tenant()).status());
  return Text("reservation.description", reservation.description(), kMaxDescriptionBytes);
}

}  // namespace planner::validate
