#include "services/server/clusters.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr store::Kind kKind = store::Kind::kCluster;
constexpr int kClustersOfAPage = 100;

absl::StatusOr<v1::Cluster> FromRecord(const store::Record& record) {
  v1::Cluster cluster;
  if (!cluster.ParseFromString(record.value)) {
    return absl::DataLossError(fmt::format("clusters/{}: the stored value cannot be read", record.name));
  }
  cluster.set_name("clusters/" + record.name);
  cluster.set_etag(record.etag);
  *cluster.mutable_create_time() = convert::TimeToProto(record.create_time);
  *cluster.mutable_update_time() = convert::TimeToProto(record.update_time);
  return cluster;
}

/// The answer to a request that only checks: no etag, no times.
v1::Cluster Unstored(v1::Cluster cluster) {
  cluster.set_name("clusters/" + cluster.name());
  return cluster;
}

/// The stored cluster with the fields of the mask from `given`; an empty mask or "*" is all of them.
v1::Cluster Merge(v1::Cluster stored, const v1::Cluster& given, const google::protobuf::FieldMask& mask) {
  const auto replaces = [&](std::string_view path) {
    const auto names = [&](const std::string& entry) { return entry == path || entry == "*"; };
    return mask.paths().empty() || std::any_of(mask.paths().begin(), mask.paths().end(), names);
  };
  if (replaces("node_pools")) *stored.mutable_node_pools() = given.node_pools();
  if (replaces("currency")) stored.set_currency(given.currency());
  if (replaces("description")) stored.set_description(given.description());
  return stored;
}

absl::StatusOr<v1::Cluster> CreateMissing(const v1::UpdateClusterRequest& request, const v1::Cluster& cluster,
                                          store::Store& store) {
  if (request.validate_only()) return Unstored(cluster);
  absl::StatusOr<store::Record> record = store.Create(kKind, cluster.name(), cluster.SerializeAsString(), "");
  if (absl::IsAlreadyExists(record.status())) {
    return absl::AbortedError(fmt::format("cluster \"{}\" was created by someone else meanwhile", cluster.name()));
  }
  RETURN_IF_ERROR(record.status());
  return FromRecord(*record);
}

}  // namespace

absl::StatusOr<v1::Cluster> CreateCluster(const v1::CreateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          store::Store& store) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const v1::Cluster cluster, convert::NormalizedCluster("cluster", request.cluster(), gpus));
  if (request.validate_only()) return Unstored(cluster);
  ASSIGN_OR_RETURN(const store::Record record,
                   store.Create(kKind, cluster.name(), cluster.SerializeAsString(), request.request_id()));
  return FromRecord(record);
}

absl::StatusOr<v1::Cluster> GetCluster(const v1::GetClusterRequest& request, store::Store& store) {
  ASSIGN_OR_RETURN(const std::string id, validate::ClusterId("name", request.name()));
  ASSIGN_OR_RETURN(const store::Record record, store.Get(kKind, id));
  return FromRecord(record);
}

absl::StatusOr<v1::ListClustersResponse> ListClusters(const v1::ListClustersRequest& request, store::Store& store) {
  ASSIGN_OR_RETURN(const int page_size, validate::PageSize(request.page_size(), kClustersOfAPage));
  ASSIGN_OR_RETURN(const store::Page page, store.List(kKind, {store::Order::kByName, page_size, request.page_token()}));
  v1::ListClustersResponse response;
  for (const store::Record& record : page.records) {
    ASSIGN_OR_RETURN(*response.add_clusters(), FromRecord(record));
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::Cluster> UpdateCluster(const v1::UpdateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          store::Store& store) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const v1::Cluster given, convert::NormalizedCluster("cluster", request.cluster(), gpus));
  // What the change would store; a request that only checks stops the change after it.
  v1::Cluster merged;
  const absl::Status only_checks = absl::CancelledError("validate_only");
  const auto change = [&](const store::Record& record) -> absl::StatusOr<std::string> {
    v1::Cluster stored;
    if (!stored.ParseFromString(record.value)) {
      return absl::DataLossError(fmt::format("clusters/{}: the stored value cannot be read", record.name));
    }
    merged = Merge(std::move(stored), given, request.update_mask());
    if (request.validate_only()) return only_checks;
    return merged.SerializeAsString();
  };
  absl::StatusOr<store::Record> record = store.Update(kKind, given.name(), request.cluster().etag(), change);
  if (record.status() == only_checks) return Unstored(merged);
  if (absl::IsNotFound(record.status()) && request.allow_missing()) return CreateMissing(request, given, store);
  RETURN_IF_ERROR(record.status());
  return FromRecord(*record);
}

absl::Status DeleteCluster(const v1::DeleteClusterRequest& request, store::Store& store) {
  ASSIGN_OR_RETURN(const std::string id, validate::ClusterId("name", request.name()));
  return store.Delete(kKind, id, request.etag());
}

absl::Status SeedCluster(std::string_view field, const v1::Cluster& cluster, const hardware::GpuCatalog& gpus,
                         store::Store& store) {
  ASSIGN_OR_RETURN(const v1::Cluster normalized, convert::NormalizedCluster(field, cluster, gpus));
  const absl::Status status = store.Create(kKind, normalized.name(), normalized.SerializeAsString(), "").status();
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

}  // namespace planner::server
