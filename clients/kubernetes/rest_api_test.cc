#include "clients/kubernetes/rest_api.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "planner/v1/run_service.pb.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;

/// Keeps what it was asked.
class FakePlans final : public v1::PlanService::Service {
 public:
  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request, v1::Plan* answer) override {
    if (!status.ok()) return status;
    answer->set_name(request->name());
    return grpc::Status::OK;
  }
  grpc::Status ListPlans(grpc::ServerContext*, const v1::ListPlansRequest* request, v1::ListPlansResponse*) override {
    listed = *request;
    return grpc::Status::OK;
  }
  grpc::Status CreatePlan(grpc::ServerContext*, const v1::CreatePlanRequest* request, v1::Plan* answer) override {
    created = *request;
    *answer = request->plan();
    return grpc::Status::OK;
  }
  grpc::Status ConfirmPlan(grpc::ServerContext*, const v1::ConfirmPlanRequest* request, v1::Plan* answer) override {
    confirmed = *request;
    answer->set_name(request->name());
    return grpc::Status::OK;
  }

  grpc::Status status;
  v1::ListPlansRequest listed;
  v1::CreatePlanRequest created;
  v1::ConfirmPlanRequest confirmed;
};

class FakeClusters final : public v1::ClusterService::Service {
 public:
  grpc::Status UpdateCluster(grpc::ServerContext*, const v1::UpdateClusterRequest* request, v1::Cluster* answer) override {
    updated = *request;
    *answer = request->cluster();
    return grpc::Status::OK;
  }
  v1::UpdateClusterRequest updated;
};

class RestApiTest : public ::testing::Test {
 protected:
  RestApiTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&plans_);
    builder.RegisterService(&clusters_);
    server_ = builder.BuildAndStart();
    client_ = std::make_unique<cpp::Client>(std::vector{server_->InProcessChannel({})}, absl::Seconds(20), cpp::RetryOptions{.most_rounds = 1});
  }
  HttpResponse Ask(const HttpRequest& request) { return RestApi(*client_).Answer(request); }
  /// The error's JSON.
  json ErrorOf(const HttpRequest& request) { return json::parse(Ask(request).body)["error"]; }

  FakePlans plans_;
  FakeClusters clusters_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<cpp::Client> client_;
};

TEST_F(RestApiTest, EveryCallThatIsNoStreamHasAPath) {
  std::vector<std::string> calls;
  for (const auto* file : {v1::EstimateRequest::descriptor()->file(), v1::Plan::descriptor()->file(), v1::CreateClusterRequest::descriptor()->file(),
                           v1::StartRunRequest::descriptor()->file(),
                           google::protobuf::DescriptorPool::generated_pool()->FindFileByName("planner/v1/estimation_service.proto")}) {
    for (int i = 0; i < file->service_count(); ++i) {
      const google::protobuf::ServiceDescriptor& service = *file->service(i);
      for (int j = 0; j < service.method_count(); ++j) {
        const google::protobuf::MethodDescriptor& method = *service.method(j);
        if (!method.client_streaming() && !method.server_streaming()) calls.push_back(service.full_name() + "/" + method.name());
      }
    }
  }
  EXPECT_GT(calls.size(), 25u);
  EXPECT_THAT(CallsOfRestApi(), ::testing::UnorderedElementsAreArray(calls));
}

TEST_F(RestApiTest, PathAndQueryAndBodyAreTheRequest) {
  EXPECT_EQ(json::parse(Ask({.method = "GET", .path = "/v1/plans/p1"}).body)["name"], "plans/p1");
  EXPECT_EQ(Ask({.method = "GET", .path = "/v1/plans", .query = {{"pageSize", "7"}, {"page_token", "t"}}}).code, 200);
  EXPECT_EQ(plans_.listed.page_size(), 7);
  EXPECT_EQ(plans_.listed.page_token(), "t");
  const HttpResponse made = Ask({.method = "POST", .path = "/v1/plans", .query = {{"validateOnly", "true"}},
                                 .body = R"({"plan": {"description": "d", "request": {"model": {"preset": "gpt2"}}}, "hold": {"expires_in": "60s"}})"});
  EXPECT_EQ(made.code, 200) << made.body;
  EXPECT_TRUE(plans_.created.validate_only());
  EXPECT_EQ(plans_.created.plan().request().model().preset(), "gpt2");
  EXPECT_EQ(plans_.created.hold().expires_in().seconds(), 60);
  // The path says which, whatever the body does; an empty body is an empty request.
  EXPECT_EQ(Ask({.method = "POST", .path = "/v1/plans/p2:confirm", .body = R"({"name": "plans/other", "etag": "e"})"}).code, 200);
  EXPECT_EQ(plans_.confirmed.name(), "plans/p2");
  EXPECT_EQ(plans_.confirmed.etag(), "e");
  EXPECT_EQ(Ask({.method = "POST", .path = "/v1/plans/p3:confirm"}).code, 200);
  EXPECT_EQ(plans_.confirmed.name(), "plans/p3");
}

TEST_F(RestApiTest, AnUpdatesBodyIsTheResource) {
  const HttpResponse updated = Ask({.method = "PATCH", .path = "/v1/clusters/main", .query = {{"updateMask", "nodePools,description"}, {"allow_missing", "true"}},
                                    .body = R"({"description": "d", "nodePools": [{"gpuType": "h100", "nodeCount": 4}]})"});
  EXPECT_EQ(updated.code, 200) << updated.body;
  EXPECT_EQ(clusters_.updated.cluster().name(), "clusters/main");
  EXPECT_EQ(clusters_.updated.cluster().node_pools(0).node_count(), 4);
  EXPECT_THAT(clusters_.updated.update_mask().paths(), ElementsAre("node_pools", "description"));
  EXPECT_TRUE(clusters_.updated.allow_missing());
}

TEST_F(RestApiTest, ErrorsAreGoogles) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  info.set_reason("PLAN_NOT_FOUND");
  details.add_details()->PackFrom(info);
  plans_.status = {grpc::StatusCode::NOT_FOUND, "there is no such plan", details.SerializeAsString()};
  const HttpResponse response = Ask({.method = "GET", .path = "/v1/plans/p"});
  EXPECT_EQ(response.code, 404);
  const json error = json::parse(response.body)["error"];
  EXPECT_EQ(error["code"], 404);
  EXPECT_EQ(error["status"], "NOT_FOUND");
  EXPECT_EQ(error["message"], "there is no such plan");
  EXPECT_EQ(error["details"][0]["reason"], "PLAN_NOT_FOUND");
  const std::pair<grpc::StatusCode, int> kCodes[] = {
      {grpc::StatusCode::INVALID_ARGUMENT, 400},   {grpc::StatusCode::FAILED_PRECONDITION, 400}, {grpc::StatusCode::ABORTED, 409},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, 429}, {grpc::StatusCode::UNAVAILABLE, 503},         {grpc::StatusCode::DEADLINE_EXCEEDED, 504},
      {grpc::StatusCode::INTERNAL, 500},           {grpc::StatusCode::UNIMPLEMENTED, 501},       {grpc::StatusCode::PERMISSION_DENIED, 403}};
  for (const auto& [code, http_code] : kCodes) {
    plans_.status = {code, "w"};
    EXPECT_EQ(Ask({.method = "GET", .path = "/v1/plans/p"}).code, http_code) << code;
  }
}

TEST_F(RestApiTest, WrongRequestsAreSaidWithTheirPlace) {
  const auto message = [&](const HttpRequest& request) { return ErrorOf(request)["message"].get<std::string>(); };
  EXPECT_EQ(Ask({.method = "GET", .path = "/v1/nothing"}).code, 404);
  EXPECT_EQ(Ask({.method = "PUT", .path = "/v1/plans"}).code, 405);
  const auto post = [](const std::string& body) { return HttpRequest{.method = "POST", .path = "/v1/plans", .body = body}; };
  EXPECT_EQ(Ask(post("{")).code, 400);
  EXPECT_THAT(message(post("{")), HasSubstr("body: is no JSON at byte 2"));
  EXPECT_THAT(message(post("[]")), HasSubstr("is no JSON object"));
  EXPECT_EQ(message(post(R"({"nope": 1})")), "nope: there is no such field");
  EXPECT_EQ(message(post(R"({"plan": {"nope": 1}})")), "plan.nope: there is no such field");
  EXPECT_THAT(message(post(R"({"plan": {"request": {"training": {"globalBatch": "many"}}}})")),
              StartsWith("plan.request.training.global_batch: invalid value \"many\""));
  EXPECT_EQ(message(post(R"({"plan": {"request": {"dataSet": {"tokenCount": 1e400}}}})")), "body: has a number that is too large");
  EXPECT_THAT(message({.method = "GET", .path = "/v1/plans", .query = {{"pageSize", "x"}}}), StartsWith("page_size: invalid value"));
  EXPECT_THAT(message(post(std::string(200, '['))), HasSubstr("nested deeper than 100"));
  EXPECT_THAT(message(post("{\"plan\": {\"description\": \"\xff\"}}")), HasSubstr("body"));
  EXPECT_THAT(message({.method = "GET", .path = "/v1/plans", .query = {{"size", "1"}}}), HasSubstr("size: there is no such field"));
  EXPECT_THAT(message({.method = "GET", .path = "/v1/plans", .query = {{"pageSize.x", "1"}}}), HasSubstr("there is no such field"));
  EXPECT_THAT(message({.method = "POST", .path = "/v1/plans", .query = {{"validateOnly", "maybe"}}}), HasSubstr("neither true nor false"));
  EXPECT_THAT(message({.method = "GET", .path = "/v1/plans", .body = "{}"}), HasSubstr("body: must be empty"));
}

}  // namespace
}  // namespace planner::kubernetes
