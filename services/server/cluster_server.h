#pragma once

#include "core/base/clock.h"
#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "services/feed/change_feed.h"
#include "services/server/cluster_watch.h"
#include "services/server/live_streams.h"
#include "services/server/reservations.h"
#include "services/server/rpc.h"
#include "services/server/utilization_reports.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// planner.v1.ClusterService: the inventory, and the GPU types that it may name.
class ClusterServer final : public v1::ClusterService::WithCallbackMethod_WatchCluster<
                                v1::ClusterService::WithCallbackMethod_ReportUtilization<v1::ClusterService::Service>> {
 public:
  /// All must outlive it.
  ClusterServer(RpcRunner& rpc, store::Store& store, bookings::Bookings& bookings, Reservations& reservations,
                utilization::Utilization& utilization, feed::ChangeFeed& feed, LiveStreams& watches,
                LiveStreams& reports, const hardware::GpuCatalog& gpus, const base::Clock& clock)
      : rpc_(rpc),
        store_(store),
        bookings_(bookings),
        reservations_(reservations),
        utilization_(utilization),
        feed_(feed),
        watches_(watches),
        gpus_(gpus),
        clock_(clock),
        mirrors_(store, bookings),
        reports_(rpc, utilization, reports) {}

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
  grpc::Status CreateReservation(grpc::ServerContext* context, const v1::CreateReservationRequest* request,
                                 v1::Reservation* response) override;
  grpc::Status GetReservation(grpc::ServerContext* context, const v1::GetReservationRequest* request,
                              v1::Reservation* response) override;
  grpc::Status ListReservations(grpc::ServerContext* context, const v1::ListReservationsRequest* request,
                                v1::ListReservationsResponse* response) override;
  grpc::Status DeleteReservation(grpc::ServerContext* context, const v1::DeleteReservationRequest* request,
                                 google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::WatchClusterResponse>* WatchCluster(grpc::CallbackServerContext* context,
                                                                   const v1::WatchClusterRequest* request) override;
  UtilizationReports::Reactor* ReportUtilization(grpc::CallbackServerContext* context,
                                                 v1::ReportUtilizationResponse* response) override {
    return reports_.Start(context, response);
  }
  grpc::Status GetUtilization(grpc::ServerContext* context, const v1::GetUtilizationRequest* request,
                              v1::GetUtilizationResponse* response) override;

 private:
  /// Adds what was last measured of the pools to their status.
  void AddUtilization(v1::Cluster& cluster);

  RpcRunner& rpc_;
  store::Store& store_;
  bookings::Bookings& bookings_;
  Reservations& reservations_;
  utilization::Utilization& utilization_;
  feed::ChangeFeed& feed_;
  LiveStreams& watches_;
  const hardware::GpuCatalog& gpus_;
  const base::Clock& clock_;
  ClusterMirrors mirrors_;
  UtilizationReports reports_;
};

}  // namespace planner::server
