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

absl::Status ValidateCurrency(const std::string& field, std::string_view currency) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (currency.empty() || (currency.size() == 3 && std::all_of(currency.begin(), currency.end(), is_upper))) {
    return absl::OkStatus();
  }
  return base::InvalidField(field, fmt::format("must be an ISO 4217 code, three capital letters: currency=\"{}\"",
                                               currency.substr(0, kMaxNameBytes)));
}

absl::Status ValidatePool(const std::string& field, const v1::NodePool& pool) {
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
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateCluster(std::string_view field, const v1::Cluster& cluster) {
  const std::string prefix = std::string(field) + ".";
  RETURN_IF_ERROR(ClusterId(prefix + "name", cluster.name()).status());
  RETURN_IF_ERROR(ValidateCurrency(prefix + "currency", cluster.currency()));
  RETURN_IF_ERROR(Text(prefix + "description", cluster.description(), kMaxDescriptionBytes));
  RETURN_IF_ERROR(Between(prefix + "node_pools", cluster.node_pools_size(), 0, kMaxPools));
  for (int i = 0; i < cluster.node_pools_size(); ++i) {
    RETURN_IF_ERROR(ValidatePool(fmt::format("{}node_pools[{}]", prefix, i), cluster.node_pools(i)));
  }
  return absl::OkStatus();
}

absl::Status Validate(const v1::CreateClusterRequest& request) {
  RETURN_IF_ERROR(Text("request_id", request.request_id(), kMaxRequestIdBytes));
  return ValidateCluster("cluster", request.cluster());
}

absl::Status Validate(const v1::UpdateClusterRequest& request) {
  static const std::set<std::string> kPaths = {"*", "node_pools", "currency", "description"};
  for (const std::string& path : request.update_mask().paths()) {
    if (!kPaths.contains(path)) {
      return base::InvalidField("update_mask", fmt::format("must name node_pools, currency or description: path=\"{}\"",
                                                           path.substr(0, kMaxNameBytes)));
    }
  }
  return ValidateCluster("cluster", request.cluster());
}

}  // namespace planner::validate
