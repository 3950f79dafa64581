#include "services/server/cluster_server.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "services/convert/hardware.h"
#include "services/server/clusters.h"
#include "services/server/methods.h"
#include "services/server/paging.h"
#include "services/server/watch_stream.h"

namespace planner::server {
namespace {

constexpr int kGpuTypesOfAPage = 500;

absl::StatusOr<v1::ListGpuTypesResponse> PageOfGpuTypes(const v1::ListGpuTypesRequest& request,
                                                        const hardware::GpuCatalog& gpus) {
  ASSIGN_OR_RETURN(PageRange range, RangeOf("gpu_types", gpus.types().size(), request.page_size(), kGpuTypesOfAPage,
                                            request.page_token()));
  v1::ListGpuTypesResponse response;
  for (size_t i = range.begin; i < range.end; ++i) *response.add_gpu_types() = convert::GpuTypeToProto(gpus.types()[i]);
  response.set_next_page_token(std::move(range.next_page_token));
  return response;
}

}  // namespace

void ClusterServer::AddUtilization(v1::Cluster& cluster) {
  const std::string id = cluster.name().substr(cluster.name().find('/') + 1);
  for (v1::NodePool& pool : *cluster.mutable_node_pools()) {
    for (v1::MeasuredUtilization& latest : utilization_.Latest({{id, pool.name()}}, clock_.Now())) {
      *pool.mutable_status()->mutable_utilization() = std::move(latest);
    }
  }
}

grpc::Status ClusterServer::CreateCluster(grpc::ServerContext* context, const v1::CreateClusterRequest* request,
                                          v1::Cluster* response) {
  return rpc_.Run(method::kCreateCluster, *context, response,
                  [&](const Call&) { return server::CreateCluster(*request, gpus_, bookings_); });
}

grpc::Status ClusterServer::GetCluster(grpc::ServerContext* context, const v1::GetClusterRequest* request,
                                       v1::Cluster* response) {
  return rpc_.Run(method::kGetCluster, *context, response,
                  [&](const Call&) -> absl::StatusOr<v1::Cluster> {
                    ASSIGN_OR_RETURN(v1::Cluster cluster, server::GetCluster(*request, clock_.Now(), store_));
                    AddUtilization(cluster);
                    return cluster;
                  });
}

grpc::Status ClusterServer::ListClusters(grpc::ServerContext* context, const v1::ListClustersRequest* request,
                                         v1::ListClustersResponse* response) {
  return rpc_.Run(method::kListClusters, *context, response,
                  [&](const Call&) -> absl::StatusOr<v1::ListClustersResponse> {
                    ASSIGN_OR_RETURN(v1::ListClustersResponse list, server::ListClusters(*request, clock_.Now(), store_));
                    for (v1::Cluster& cluster : *list.mutable_clusters()) AddUtilization(cluster);
                    return list;
                  });
}

grpc::Status ClusterServer::UpdateCluster(grpc::ServerContext* context, const v1::UpdateClusterRequest* request,
                                          v1::Cluster* response) {
  return rpc_.Run(method::kUpdateCluster, *context, response,
                  [&](const Call&) { return server::UpdateCluster(*request, gpus_, bookings_); });
}

grpc::Status ClusterServer::DeleteCluster(grpc::ServerContext* context, const v1::DeleteClusterRequest* request,
                                          google::protobuf::Empty* response) {
  return rpc_.Run(method::kDeleteCluster, *context, response,
                  [&](const Call&) -> absl::StatusOr<google::protobuf::Empty> {
                    RETURN_IF_ERROR(server::DeleteCluster(*request, store_, bookings_));
                    return google::protobuf::Empty();
                  });
}

grpc::Status ClusterServer::ListGpuTypes(grpc::ServerContext* context, const v1::ListGpuTypesRequest* request,
                                         v1::ListGpuTypesResponse* response) {
  return rpc_.Run(method::kListGpuTypes, *context, response,
                  [&](const Call&) { return PageOfGpuTypes(*request, gpus_); });
}

grpc::Status ClusterServer::GetGpuType(grpc::ServerContext* context, const v1::GetGpuTypeRequest* request,
                                       v1::GpuType* response) {
  return rpc_.Run(method::kGetGpuType, *context, response, [&](const Call&) -> absl::StatusOr<v1::GpuType> {
    if (request->name().empty()) return base::InvalidField("name", "is missing");
    const auto type = gpus_.Find(request->name());
    if (!type.ok()) return base::WithField("name", type.status());
    return convert::GpuTypeToProto(**type);
  });
}

grpc::Status ClusterServer::CreateReservation(grpc::ServerContext* context,
                                              const v1::CreateReservationRequest* request, v1::Reservation* response) {
  return rpc_.Run(method::kCreateReservation, *context, response,
                  [&](const Call&) { return reservations_.Create(*request); });
}

grpc::Status ClusterServer::GetReservation(grpc::ServerContext* context, const v1::GetReservationRequest* request,
                                           v1::Reservation* response) {
  return rpc_.Run(method::kGetReservation, *context, response, [&](const Call&) { return reservations_.Get(*request); });
}

grpc::Status ClusterServer::ListReservations(grpc::ServerContext* context, const v1::ListReservationsRequest* request,
                                             v1::ListReservationsResponse* response) {
  return rpc_.Run(method::kListReservations, *context, response,
                  [&](const Call&) { return reservations_.List(*request); });
}

grpc::Status ClusterServer::DeleteReservation(grpc::ServerContext* context,
                                              const v1::DeleteReservationRequest* request,
                                              google::protobuf::Empty* response) {
  return rpc_.Run(method::kDeleteReservation, *context, response,
                  [&](const Call&) -> absl::StatusOr<google::protobuf::Empty> {
                    RETURN_IF_ERROR(reservations_.Delete(*request));
                    return google::protobuf::Empty();
                  });
}

grpc::ServerWriteReactor<v1::WatchClusterResponse>* ClusterServer::WatchCluster(grpc::CallbackServerContext* context,
                                                                                const v1::WatchClusterRequest* request) {
  return WatchStream<v1::WatchClusterResponse>::Start(method::kWatchCluster, *context,
                                                      std::make_shared<ClusterWatch>(request->name(), mirrors_), feed_, watches_,
                                                      rpc_);
}

grpc::Status ClusterServer::GetUtilization(grpc::ServerContext* context, const v1::GetUtilizationRequest* request,
                                           v1::GetUtilizationResponse* response) {
  return rpc_.Run(method::kGetUtilization, *context, response, [&](const Call&) { return utilization_.Get(*request); });
}

}  // namespace planner::server
