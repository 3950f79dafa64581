#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/fake_validation.h"
#include "clients/plannerctl/run.h"
#include "core/base/fake_clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "planner/v1/run_service.grpc.pb.h"

namespace planner::plannerctl {

/// A planner that remembers what it was asked and answers what it was told.
class FakeEstimation : public v1::EstimationService::Service {
 public:
  grpc::Status Estimate(grpc::ServerContext*, const v1::EstimateRequest* request,
                        v1::EstimateResponse* response) override {
    estimate_request = *request;
    *response = estimate;
    return status;
  }
  grpc::Status Count(grpc::ServerContext*, const v1::CountRequest* request, v1::CountResponse* response) override {
    count_request = *request;
    ++counts;
    if (request->model().has_uploaded_file() && uploaded.empty()) return NotUploaded();
    response->set_parameter_count(25557032);
    return status;
  }
  grpc::Status UploadModel(grpc::ServerContext*, grpc::ServerReader<v1::UploadModelRequest>* reader,
                           v1::UploadModelResponse*) override {
    v1::UploadModelRequest message;
    if (!reader->Read(&message)) return {grpc::StatusCode::INVALID_ARGUMENT, "announcement: is missing"};
    announcement = message.announcement();
    while (reader->Read(&message)) uploaded += message.data();
    return upload_status;
  }
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    // Two pages.
    const bool first = request->page_token().empty();
    response->add_models()->set_name(first ? "gpt2" : "llama-7b");
    if (first) response->set_next_page_token("next");
    if (endless_pages) response->set_next_page_token("next");
    return status;
  }
  grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*, v1::VersionInfo* response) override {
    response->set_version("9.8.7");
    return status;
  }

  grpc::Status ValidateRuns(grpc::ServerContext*, const v1::ValidateRunsRequest* request,
                            v1::ValidateRunsResponse* response) override {
    runs_csv = request->runs_csv();
    *response = validation;
    return status;
  }

  static grpc::Status NotUploaded() {
    google::rpc::ErrorInfo info;
    info.set_reason("MODEL_NOT_UPLOADED");
    google::rpc::Status details;
    details.add_details()->PackFrom(info);
    return {grpc::StatusCode::NOT_FOUND, "model.uploaded_file: is not there", details.SerializeAsString()};
  }

  v1::UploadAnnouncement announcement;
  std::string uploaded;
  grpc::Status upload_status = grpc::Status::OK;
  int counts = 0;
  v1::EstimateRequest estimate_request;
  v1::CountRequest count_request;
  v1::EstimateResponse estimate;
  v1::ValidateRunsResponse validation = FakeValidation();
  std::string runs_csv;
  grpc::Status status = grpc::Status::OK;
  bool endless_pages = false;
};

/// Keeps clusters in memory.
class FakeClusters : public v1::ClusterService::Service {
 public:
  grpc::Status GetCluster(grpc::ServerContext*, const v1::GetClusterRequest* request, v1::Cluster* response) override {
    const auto found = clusters.find(request->name());
    if (found == clusters.end()) return {grpc::StatusCode::NOT_FOUND, "name: no such cluster"};
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status UpdateCluster(grpc::ServerContext*, const v1::UpdateClusterRequest* request,
                             v1::Cluster* response) override {
    *response = request->cluster();
    response->set_etag(std::to_string(++version_));
    if (!warning.empty()) response->add_warnings(warning);
    if (!request->validate_only()) clusters[request->cluster().name()] = *response;
    return grpc::Status::OK;
  }
  grpc::Status DeleteCluster(grpc::ServerContext*, const v1::DeleteClusterRequest* request,
                             google::protobuf::Empty*) override {
    is_forced = request->force();
    return grpc::Status::OK;
  }

  grpc::Status CreateReservation(grpc::ServerContext*, const v1::CreateReservationRequest* request,
                                 v1::Reservation* response) override {
    reserve_request = *request;
    if (!reserve_status.ok()) return reserve_status;
    *response = request->reservation();
    response->set_name("clusters/main/reservations/r1");
    response->set_node_pool("h");
    response->set_nodes("h-[0-2]");
    response->set_state(response->has_expire_time() ? v1::Reservation::HELD : v1::Reservation::FIRM);
    return grpc::Status::OK;
  }
  grpc::Status ListReservations(grpc::ServerContext*, const v1::ListReservationsRequest*,
                                v1::ListReservationsResponse* response) override {
    for (const v1::Reservation& one : reservations) *response->add_reservations() = one;
    return grpc::Status::OK;
  }
  grpc::Status DeleteReservation(grpc::ServerContext*, const v1::DeleteReservationRequest* request,
                                 google::protobuf::Empty*) override {
    released.push_back(request->name());
    return grpc::Status::OK;
  }
  /// The views one after the other, one for each call; each ends with `watch_status`, but the last one is ended by `last_watch_status`.
  grpc::Status WatchCluster(grpc::ServerContext*, const v1::WatchClusterRequest*,
                            grpc::ServerWriter<v1::WatchClusterResponse>* writer) override {
    const std::vector<v1::WatchClusterResponse> view =
        watch_views.empty() ? std::vector<v1::WatchClusterResponse>() : watch_views.front();
    if (!watch_views.empty()) watch_views.erase(watch_views.begin());
    for (const v1::WatchClusterResponse& message : view) writer->Write(message);
    return watch_views.empty() ? last_watch_status : grpc::Status(grpc::StatusCode::UNAVAILABLE, "the daemon ends");
  }
  grpc::Status ReportUtilization(grpc::ServerContext*, grpc::ServerReader<v1::ReportUtilizationRequest>* reader,
                                 v1::ReportUtilizationResponse* response) override {
    v1::ReportUtilizationRequest message;
    while (reader->Read(&message)) {
      reported_cluster = message.cluster();
      for (const v1::UtilizationSample& sample : message.samples()) samples.push_back(sample);
    }
    *response = report_response;
    response->set_accepted_count(static_cast<int64_t>(samples.size()) - response->refused_count());
    return grpc::Status::OK;
  }
  grpc::Status GetUtilization(grpc::ServerContext*, const v1::GetUtilizationRequest* request,
                              v1::GetUtilizationResponse* response) override {
    utilization_request = *request;
    *response = utilization;
    return grpc::Status::OK;
  }

  std::map<std::string, v1::Cluster> clusters;
  std::string warning;
  bool is_forced = false;
  v1::CreateReservationRequest reserve_request;
  grpc::Status reserve_status = grpc::Status::OK;
  std::vector<v1::Reservation> reservations;
  std::vector<std::string> released;
  std::vector<std::vector<v1::WatchClusterResponse>> watch_views;
  grpc::Status last_watch_status = {grpc::StatusCode::NOT_FOUND, "no such cluster"};
  std::vector<v1::UtilizationSample> samples;
  std::string reported_cluster;
  v1::ReportUtilizationResponse report_response;
  v1::GetUtilizationRequest utilization_request;
  v1::GetUtilizationResponse utilization;

 private:
  int version_ = 0;
};

class FakePlans : public v1::PlanService::Service {
 public:
  grpc::Status CreatePlan(grpc::ServerContext*, const v1::CreatePlanRequest* request, v1::Plan* response) override {
    create_request = *request;
    response->set_name("plans/p1");
    response->set_state(state);
    response->mutable_estimate()->set_model("gpt2");
    return grpc::Status::OK;
  }
  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request, v1::Plan* response) override {
    if (const auto found = plans.find(request->name()); found != plans.end()) {
      *response = found->second;
      return grpc::Status::OK;
    }
    response->set_name(request->name());
    response->set_state(state);
    response->set_etag(v1::Plan::State_Name(state));
    response->mutable_request()->mutable_model()->set_preset(request->name());
    if (reservation.gpu_count() > 0) *response->mutable_reservation() = reservation;
    return grpc::Status::OK;
  }
  grpc::Status ListPlans(grpc::ServerContext*, const v1::ListPlansRequest*, v1::ListPlansResponse* response) override {
    v1::Plan& plan = *response->add_plans();
    plan.set_name("plans/p1");
    if (reservation.gpu_count() > 0) *plan.mutable_reservation() = reservation;
    return grpc::Status::OK;
  }
  grpc::Status ConfirmPlan(grpc::ServerContext*, const v1::ConfirmPlanRequest* request, v1::Plan* response) override {
    if (request->etag() == "old") return {grpc::StatusCode::ABORTED, "etag: is not current"};
    response->set_name(request->name());
    response->set_state(v1::Plan::CONFIRMED);
    return grpc::Status::OK;
  }
  grpc::Status DeletePlan(grpc::ServerContext*, const v1::DeletePlanRequest*, google::protobuf::Empty*) override {
    return grpc::Status::OK;
  }

  /// One call for each of `watches`: the states that it tells, and how it ends.
  grpc::Status WatchPlan(grpc::ServerContext*, const v1::WatchPlanRequest* request,
                         grpc::ServerWriter<v1::Plan>* writer) override {
    if (watches.empty()) return {grpc::StatusCode::NOT_FOUND, "no such plan"};
    const auto [states, end] = watches.front();
    watches.erase(watches.begin());
    for (const v1::Plan::State told : states) {
      v1::Plan plan;
      plan.set_name(request->name());
      plan.set_state(told);
      plan.set_etag(v1::Plan::State_Name(told));
      if (!writer->Write(plan)) break;
    }
    return end;
  }

  std::vector<std::pair<std::vector<v1::Plan::State>, grpc::Status>> watches;
  std::map<std::string, v1::Plan> plans;  ///< Others are made up.
  v1::CreatePlanRequest create_request;
  v1::Plan::State state = v1::Plan::PLANNED;
  v1::Reservation reservation;  ///< Of every plan, if it has GPUs.
};

/// Keeps one run.
class FakeRuns : public v1::RunService::Service {
 public:
  grpc::Status StartRun(grpc::ServerContext*, const v1::StartRunRequest* request, v1::Run* response) override {
    start_request = *request;
    *response = run;
    return grpc::Status::OK;
  }
  grpc::Status ReportProgress(grpc::ServerContext*, grpc::ServerReader<v1::ReportProgressRequest>* reader,
                              v1::ReportProgressResponse* response) override {
    ++reports;
    v1::ReportProgressRequest message;
    std::vector<v1::ProgressSample> read;
    while (reader->Read(&message)) {
      largest_message = std::max(largest_message, message.samples_size());
      reported_run = message.run();
      read.insert(read.end(), message.samples().begin(), message.samples().end());
    }
    if (failures > 0) {
      --failures;
      return {grpc::StatusCode::UNAVAILABLE, "away"};
    }
    for (const v1::ProgressSample& sample : read) {
      if (sample.step() < 0) {
        response->add_refusals("samples[" + std::to_string(response->accepted_count() + response->refused_count()) +
                               "].step: must be at least 0: step=-1");
        response->set_refused_count(response->refused_count() + 1);
      } else {
        response->set_accepted_count(response->accepted_count() + 1);
        samples.push_back(sample);
      }
    }
    *response->mutable_run() = run;
    return grpc::Status::OK;
  }
  grpc::Status FinishRun(grpc::ServerContext*, const v1::FinishRunRequest* request, v1::Run* response) override {
    finish_request = *request;
    if (request->etag() == "old") return {grpc::StatusCode::ABORTED, "etag: has changed"};
    *response = run;
    response->set_state(request->state() == v1::Run::STATE_UNSPECIFIED ? v1::Run::SUCCEEDED : request->state());
    return grpc::Status::OK;
  }
  grpc::Status GetRun(grpc::ServerContext*, const v1::GetRunRequest* request, v1::Run* response) override {
    if (request->name() != run.name()) return {grpc::StatusCode::NOT_FOUND, "name: there is no such run"};
    *response = run;
    return grpc::Status::OK;
  }
  grpc::Status ListRuns(grpc::ServerContext*, const v1::ListRunsRequest* request, v1::ListRunsResponse* response) override {
    list_request = *request;
    *response->add_runs() = run;
    return grpc::Status::OK;
  }
  grpc::Status DeleteRun(grpc::ServerContext*, const v1::DeleteRunRequest*, google::protobuf::Empty*) override { return grpc::Status::OK; }

  v1::Run run;
  v1::StartRunRequest start_request;
  v1::FinishRunRequest finish_request;
  v1::ListRunsRequest list_request;
  std::string reported_run;
  std::vector<v1::ProgressSample> samples;
  int reports = 0;
  int largest_message = 0;
  int failures = 0;  ///< Reports that find no server.
};

class RunTest : public ::testing::Test {
 protected:
  RunTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&estimation_);
    builder.RegisterService(&clusters_);
    builder.RegisterService(&plans_);
    builder.RegisterService(&runs_);
    server_ = builder.BuildAndStart();
    estimation_.estimate.set_model("gpt2");
    v1::Recommendation& best = *estimation_.estimate.add_recommendations();
    best.set_gpu_type("A100-SXM-80GB");
    best.set_gpu_count(8);
    best.set_node_count(1);
  }

  int Run(const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
    std::istringstream in(input_);
    const Environment environment = {
        .in = in,
        .out = out_,
        .err = err_,
        .clock = base::Clock::Real(),  // The in-process server's deadlines are real.
        .variable = [this](const std::string& name) -> std::optional<std::string> {
          const auto found = variables_.find(name);
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
        .connect = [this](const GlobalFlags& flags) -> absl::StatusOr<Connection> {
          connected_server_ = flags.server;
          connected_state_dir_ = flags.state_dir;
          connected_tls_ = flags.tls;
          if (!connect_status_.ok()) return connect_status_;
          return Connection{nullptr, {server_->InProcessChannel({})}};
        },
        .reader_left = [this] { return reader_left_; },
        .wait = [this](absl::Duration, grpc::Channel*) { while_waiting_(); },
    };
    return static_cast<int>(plannerctl::Run(arguments, environment));
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  FakeEstimation estimation_;
  FakeClusters clusters_;
  FakePlans plans_;
  FakeRuns runs_;
  std::unique_ptr<grpc::Server> server_;
  std::string input_;
  std::map<std::string, std::string> variables_;
  std::string connected_server_ = "never";
  std::string connected_state_dir_;
  cpp::TlsFiles connected_tls_;
  absl::Status connect_status_;
  bool reader_left_ = false;
  std::function<void()> while_waiting_ = [] {};
  std::ostringstream out_, err_;
};

}  // namespace planner::plannerctl
