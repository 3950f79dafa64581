#pragma once

#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "services/server/rpc.h"

namespace planner::server {

/// planner.v1.ClusterService: the inventory, and the GPU types that it may name.
class ClusterServer final : public v1::ClusterService::Service {
 public:
  /// All must outlive it.
  ClusterServer(RpcRunner& rpc, store::Store& store, const hardware::GpuCatalog& gpus)
      : rpc_(rpc), store_(store), gpus_(gpus) {}

  grpc::Status CreateCluster(grpc::ServerContext* context, const v1::CreateClusterRequest* request,
                             v1::Cluster* response) override;
  grpc::Status GetCluster(grpc::ServerContext* context, const v1::GetClusterRequest* request,
                          v1::Cluster* response) override;
  grpc::Status ListClusters(grpc::ServerContext* context, const v1::ListClustersRequest* request,
                            v1::ListClustersResponse* response) override;
  grpc::Status UpdateCluster(grpc::ServerContext* context, const v1::UpdateClusterRequest* request,
                             v1::Cluster* response) override;
  grpc::Status DeleteCluster(grpc::ServerContext* context, const v1::DeleteClusterRequest* request,
                             google::protobuf::Empty* response) override;
  grpc::Status ListGpuTypes(grpc::ServerContext* context, const v1::ListGpuTypesRequest* request,
                            v1::ListGpuTypesResponse* response) override;
  grpc::Status GetGpuType(grpc::ServerContext* context, const v1::GetGpuTypeRequest* request,
                          v1::GpuType* response) override;

 private:
  RpcRunner& rpc_;
  store::Store& store_;
  const hardware::GpuCatalog& gpus_;
};

}  // namespace planner::server
