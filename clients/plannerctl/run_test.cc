#include "clients/plannerctl/run.h"

#include <gmock/gmock.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "clients/plannerctl/fake_validation.h"
#include "core/base/fake_clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

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
    if (!request->validate_only()) clusters[request->cluster().name()] = *response;
    return grpc::Status::OK;
  }
  grpc::Status DeleteCluster(grpc::ServerContext*, const v1::DeleteClusterRequest*, google::protobuf::Empty*) override {
    return grpc::Status::OK;
  }

  std::map<std::string, v1::Cluster> clusters;

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
    if (deleted) return {grpc::StatusCode::NOT_FOUND, "no such plan"};
    response->set_name(request->name());
    response->set_state(state);
    response->set_etag(v1::Plan::State_Name(state));
    response->mutable_request()->mutable_model()->set_preset(request->name());
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

  v1::CreatePlanRequest create_request;
  v1::Plan::State state = v1::Plan::PLANNED;
  bool deleted = false;
};

class RunTest : public ::testing::Test {
 protected:
  RunTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&estimation_);
    builder.RegisterService(&clusters_);
    builder.RegisterService(&plans_);
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
        .connect = [this](const std::string& server, const std::string& state_dir) -> absl::StatusOr<Connection> {
          connected_server_ = server;
          connected_state_dir_ = state_dir;
          if (!connect_status_.ok()) return connect_status_;
          return Connection{nullptr, server_->InProcessChannel({})};
        },
        .reader_left = [this] { return reader_left_; },
        .wait = [this](absl::Duration) { while_waiting_(); },
    };
    return static_cast<int>(plannerctl::Run(arguments, environment));
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  FakeEstimation estimation_;
  FakeClusters clusters_;
  FakePlans plans_;
  std::unique_ptr<grpc::Server> server_;
  std::string input_;
  std::map<std::string, std::string> variables_;
  std::string connected_server_ = "never";
  std::string connected_state_dir_;
  absl::Status connect_status_;
  bool reader_left_ = false;
  std::function<void()> while_waiting_;
  std::ostringstream out_, err_;
};

TEST_F(RunTest, EstimateFillsEveryField) {
  ASSERT_EQ(Run({"estimate",
                 "--model",
                 "llama-65b",
                 "--tokens",
                 "1.4T",
                 "--seq-len",
                 "2k",
                 "--global-batch",
                 "2048",
                 "--gpu",
                 "a100,h100",
                 "--gpu",
                 "h200",
                 "--gpus",
                 "8-2048",
                 "--cluster",
                 "main",
                 "--deadline",
                 "30d",
                 "--budget",
                 "1M",
                 "--price",
                 "2.5",
                 "--goal",
                 "cheapest",
                 "--precision",
                 "bf16",
                 "--optimizer",
                 "adam",
                 "--recompute",
                 "full",
                 "--tp",
                 "8",
                 "--pp",
                 "4",
                 "--vpp",
                 "2",
                 "--dp",
                 "16",
                 "--cp",
                 "1",
                 "--ep",
                 "1",
                 "--sequence-parallel",
                 "false",
                 "--micro-batch",
                 "1",
                 "--zero",
                 "1",
                 "--utilization",
                 "45%",
                 "--finetune",
                 "lora",
                 "--lora-rank",
                 "8",
                 "--framework",
                 "megatron-core",
                 "--attention",
                 "flash"}),
            0)
      << err();
  const v1::EstimateRequest& request = estimation_.estimate_request;
  EXPECT_EQ(request.model().preset(), "llama-65b");
  EXPECT_EQ(request.data_set().token_count(), 1.4e12);
  EXPECT_FALSE(request.data_set().has_sample_count());
  EXPECT_EQ(request.data_set().seq_len(), 2000);
  EXPECT_THAT(request.resources().gpu_types(), ElementsAre("a100", "h100", "h200"));
  EXPECT_EQ(request.resources().min_gpus(), 8);
  EXPECT_EQ(request.resources().max_gpus(), 2048);
  EXPECT_EQ(request.resources().cluster(), "main");
  EXPECT_EQ(request.resources().deadline_duration().seconds(), 30 * 86400);
  EXPECT_EQ(request.resources().budget(), 1e6);
  EXPECT_EQ(request.resources().price_per_gpu_hour(), 2.5);
  EXPECT_EQ(request.goal(), v1::EstimateRequest::CHEAPEST);
  EXPECT_EQ(request.training().global_batch(), 2048);
  EXPECT_EQ(request.training().recompute(), v1::Training::FULL);
  EXPECT_EQ(request.training().finetune(), v1::Training::LORA);
  EXPECT_EQ(request.training().lora_rank(), 8);
  EXPECT_EQ(request.training().framework(), "megatron-core");
  EXPECT_EQ(request.layout().tensor_parallel(), 8);
  EXPECT_EQ(request.layout().pipeline_parallel(), 4);
  EXPECT_EQ(request.layout().virtual_pipeline(), 2);
  EXPECT_EQ(request.layout().data_parallel(), 16);
  EXPECT_EQ(request.layout().micro_batch_size(), 1);
  EXPECT_EQ(request.layout().zero_stage(), 1);
  EXPECT_TRUE(request.layout().has_sequence_parallel());
  EXPECT_FALSE(request.layout().sequence_parallel());
  EXPECT_EQ(request.utilization().hardware_flops_ratio(), 0.45);
}

TEST_F(RunTest, WhatIsNotGivenStaysUnset) {
  ASSERT_EQ(Run({"estimate", "--model", "gpt2"}), 0) << err();
  const v1::EstimateRequest& request = estimation_.estimate_request;
  EXPECT_FALSE(request.data_set().has_token_count());
  EXPECT_FALSE(request.layout().has_tensor_parallel());
  EXPECT_FALSE(request.has_utilization());
  EXPECT_FALSE(request.resources().has_min_gpus());
  EXPECT_EQ(request.resources().deadline_case(), v1::Resources::DEADLINE_NOT_SET);
}

TEST_F(RunTest, FlagsTakeUnderscoresAndStandAnywhere) {
  EXPECT_EQ(Run({"--state_dir", "/a_b", "estimate", "--model=gpt2", "--global_batch=8", "--micro_batch", "2",
                 "--no_headers", "-o", "json"}),
            0)
      << err();
  EXPECT_EQ(connected_state_dir_, "/a_b");
  EXPECT_EQ(estimation_.estimate_request.training().global_batch(), 8);
  EXPECT_EQ(estimation_.estimate_request.layout().micro_batch_size(), 2);
  EXPECT_THAT(out(), StartsWith("{"));
  EXPECT_EQ(Run({"-o", "yaml", "estimate", "--model", "gpt2"}), 0);
  EXPECT_EQ(YAML::Load(out())["model"].as<std::string>(), "gpt2");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "-o=json"}), 0) << err();  // As kubectl takes it.
  EXPECT_THAT(out(), StartsWith("{"));
}

TEST_F(RunTest, ServerComesFromFlagThenEnvironment) {
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(connected_server_, "");
  variables_["PLANNER_SERVER"] = "unix:/p.sock";
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(connected_server_, "unix:/p.sock");
  EXPECT_EQ(Run({"version", "--server", "h:1"}), 0);
  EXPECT_EQ(connected_server_, "h:1");
  EXPECT_EQ(Run({"version", "--state-dir", "d"}), 0);
  EXPECT_EQ(connected_server_, "");
  EXPECT_EQ(Run({"version", "--state-dir", "d", "--server", "h:1"}), 0);
  EXPECT_THAT(err(), HasSubstr("warning: --state-dir is ignored"));
}

TEST_F(RunTest, UsageErrorsExitWith2AndTouchNothing) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"nonsense"},
      {"validate"},
      {"estimate"},
      {"estimate", "--model", ""},
      {"estimate", "--model", "gpt2", "--nonsense"},
      {"estimate", "--model", "gpt2", "--tokens", "many"},
      {"estimate", "--model", "gpt2", "--tokens", "nan"},
      {"estimate", "--model", "gpt2", "--tokens", ""},
      {"estimate", "--model", "gpt2", "--tokens"},
      {"estimate", "--model", "gpt2", "--gpus", "8-"},
      {"estimate", "--model", "gpt2", "--deadline", "30"},
      {"estimate", "--model", "gpt2", "--goal", "best"},
      {"estimate", "--model", "gpt2", "--tp", "2.5"},
      {"estimate", "--model", "gpt2", "--mfu", "0.4", "--utilization", "0.4"},
      {"estimate", "--model", "./nowhere.json"},
      {"count", "--model", "gpt2", "--mode", "both"},
      {"count", "--model", "gpt2", "--input", "1xx2"},
      {"count", "--model", "gpt2", "--depth", "5B"},
      {"count", "gpt2"},
      {"gpu"},
      {"gpu", "get"},
      {"gpu", "drop"},
      {"plan", "watch"},
      {"cluster", "apply"},
      {"cluster", "apply", "-f", "/nowhere.yaml"},
      {"-o", "xml", "version"},
      {"--timeout", "soon", "version"},
      {"estimate", "count", "--model", "gpt2"},
  };
  for (const auto& arguments : wrong) {
    EXPECT_EQ(Run(arguments), 2) << ::testing::PrintToString(arguments) << err();
    EXPECT_EQ(out(), "") << ::testing::PrintToString(arguments);
    EXPECT_THAT(err(), StartsWith("plannerctl: error: "));
  }
  EXPECT_EQ(connected_server_, "never");
}

TEST_F(RunTest, TheWordThatIsNotKnownIsNamed) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"divine"}, "divine"},
      {{"gpu", "drop"}, "drop"},
      {{"estimate", "--modle", "gpt2"}, "--modle"},
      {{"estimate", "--model", "gpt2", "--bogus", "1"}, "--bogus"},
  };
  for (const auto& [arguments, unknown] : cases) {
    EXPECT_EQ(Run(arguments), 2);
    EXPECT_THAT(err(), StartsWith("plannerctl: error: \"" + unknown + "\" is no command or flag here"));
  }
}

TEST_F(RunTest, ServersErrorsHaveTheirExitCodes) {
  const std::vector<std::pair<grpc::Status, int>> cases = {
      {{grpc::StatusCode::INVALID_ARGUMENT, "data_set.token_count: must be above 0"}, 2},
      {{grpc::StatusCode::NOT_FOUND, "model.preset: no model is named \"x\""}, 2},
      {{grpc::StatusCode::OUT_OF_RANGE, "macs do not fit 64 bits"}, 2},
      {{grpc::StatusCode::UNAVAILABLE, "down"}, 4},
      {{grpc::StatusCode::DEADLINE_EXCEEDED, "late"}, 4},
      {{grpc::StatusCode::INTERNAL, "broken"}, 1},
      {{grpc::StatusCode::RESOURCE_EXHAUSTED, "busy"}, 1},
      {{grpc::StatusCode::UNIMPLEMENTED, "old server"}, 1},
  };
  for (const auto& [status, exit_code] : cases) {
    estimation_.status = status;
    EXPECT_EQ(Run({"estimate", "--model", "gpt2"}), exit_code) << status.error_message();
    EXPECT_EQ(out(), "");
    EXPECT_THAT(err(), StartsWith("plannerctl: error: "));
  }
}

TEST_F(RunTest, ErrorsNameTheFlagOfTheField) {
  estimation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "data_set.token_count: must be above 0: token_count=-5"};
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--tokens", "-5"}), 2);
  EXPECT_EQ(err(), "plannerctl: error: --tokens: must be above 0: token_count=-5\n");
  EXPECT_EQ(estimation_.estimate_request.data_set().token_count(), -5);
  estimation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "model.layer_graph.layers[3]: is cyclic"};
  EXPECT_EQ(Run({"count", "--model", "gpt2"}), 2);
  EXPECT_EQ(err(), "plannerctl: error: --model: model.layer_graph.layers[3]: is cyclic\n");
}

TEST_F(RunTest, UnreachableServersAreNamed) {
  estimation_.status = {grpc::StatusCode::UNAVAILABLE, "refused"};
  EXPECT_EQ(Run({"--server", "h:1", "estimate", "--model", "gpt2"}), 4);
  EXPECT_EQ(err(), "plannerctl: error: the server at h:1 cannot be reached: refused\n");
  connect_status_ = absl::InvalidArgumentError("server: has no port");
  EXPECT_EQ(Run({"--server", "h", "estimate", "--model", "gpt2"}), 2);
}

TEST_F(RunTest, InfeasibleAnswersExitWith3) {
  estimation_.estimate.clear_recommendations();
  estimation_.estimate.add_infeasible_reasons("A100-SXM-80GB × 8: 33.0 GiB too much");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2"}), 3);
  EXPECT_THAT(out(), StartsWith("Answer  no plan meets the request\n"));
  EXPECT_EQ(err(), "plannerctl: error: infeasible: A100-SXM-80GB × 8: 33.0 GiB too much\n");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "-o", "json"}), 3);
  EXPECT_THAT(nlohmann::json::parse(out())["infeasibleReasons"], SizeIs(1));
}

TEST_F(RunTest, WarningsGoToTheErrorStreamUnlessQuiet) {
  estimation_.estimate.add_warnings("seq_len is ignored\033[31m");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2"}), 0);
  EXPECT_EQ(err(), "plannerctl: warning: seq_len is ignored?[31m\n");
  EXPECT_THAT(out(), Not(HasSubstr("ignored")));
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--quiet"}), 0);
  EXPECT_EQ(err(), "");
}

TEST_F(RunTest, CountFillsEveryField) {
  ASSERT_EQ(
      Run({"count", "--model", "resnet50", "--batch", "8", "--seq-len", "128", "--input", "8x3x224x224", "--input",
           "8x10:int64", "--counter", "analytic", "--depth", "0", "--mode", "inference", "--precision", "fp32"}),
      0)
      << err();
  const v1::CountRequest& request = estimation_.count_request;
  EXPECT_EQ(request.model().preset(), "resnet50");
  EXPECT_EQ(request.batch_shape().batch(), 8);
  EXPECT_EQ(request.batch_shape().seq_len(), 128);
  ASSERT_THAT(request.batch_shape().inputs(), SizeIs(2));
  EXPECT_EQ(request.batch_shape().inputs(1).dtype(), "int64");
  EXPECT_EQ(request.counter(), "analytic");
  EXPECT_TRUE(request.has_depth());
  EXPECT_EQ(request.depth(), 0);
  EXPECT_EQ(request.mode(), v1::CountRequest::INFERENCE);
  EXPECT_EQ(request.precision(), "fp32");
  EXPECT_THAT(out(), HasSubstr("25,557,032"));
}

TEST_F(RunTest, ModelsMayComeFromStandardInput) {
  input_ = R"({"model_type": "llama"})";
  ASSERT_EQ(Run({"count", "--model", "-"}), 0) << err();
  EXPECT_EQ(estimation_.count_request.model().hugging_face_config(), input_);
}

TEST_F(RunTest, ListsHaveAllPages) {
  EXPECT_EQ(Run({"model", "list", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out());
  EXPECT_THAT(json["models"], SizeIs(2));
  EXPECT_EQ(json["nextPageToken"], "");
  EXPECT_EQ(Run({"model", "list", "--no-headers"}), 0);
  EXPECT_THAT(out(), StartsWith("gpt2"));
  estimation_.endless_pages = true;
  EXPECT_EQ(Run({"model", "list"}), 1);
}

TEST_F(RunTest, ApplySaysWhatItDid) {
  input_ = "name: main\nnode_pools: [{gpu_type: h100, node_count: 2}]\n";
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-", "--dry-run"}), 0) << err();
  EXPECT_EQ(out(), "cluster/main created (dry run)\n");
  EXPECT_THAT(clusters_.clusters, IsEmpty());
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}), 0) << err();
  EXPECT_EQ(out(), "cluster/main created\n");
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}), 0);
  EXPECT_EQ(out(), "cluster/main unchanged\n");
  input_ = "name: main\nnode_pools: [{gpu_type: h100, node_count: 3}]\n---\nname: other\n";
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}), 0);
  EXPECT_EQ(out(), "cluster/main configured\ncluster/other created\n");
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-", "-o", "json"}), 0);
  EXPECT_THAT(nlohmann::json::parse(out())["clusters"], SizeIs(2));
  EXPECT_EQ(Run({"cluster", "get", "nowhere"}), 2);
}

TEST_F(RunTest, PlansAreCreatedAndConfirmed) {
  EXPECT_EQ(Run({"plan", "create", "--model", "gpt2", "--tokens", "1B", "--description", "mine", "--request-id", "r1",
                 "--dry-run"}),
            0)
      << err();
  EXPECT_EQ(plans_.create_request.plan().request().data_set().token_count(), 1e9);
  EXPECT_EQ(plans_.create_request.plan().description(), "mine");
  EXPECT_EQ(plans_.create_request.request_id(), "r1");
  EXPECT_TRUE(plans_.create_request.validate_only());
  EXPECT_THAT(out(), StartsWith("Plan    p1: planned\n"));
  plans_.state = v1::Plan::INFEASIBLE;
  EXPECT_EQ(Run({"plan", "create", "--model", "gpt2"}), 3);
  EXPECT_EQ(Run({"plan", "confirm", "p1"}), 0);
  EXPECT_EQ(out(), "plan/p1 confirmed\n");
  EXPECT_EQ(Run({"plan", "confirm", "plans/p1", "--etag", "old"}), 1);
}

TEST_F(RunTest, WatchPrintsEveryChangeUntilTheLast) {
  int looks = 0;
  while_waiting_ = [&] {
    ++looks;
    if (looks == 2) plans_.state = v1::Plan::CONFIRMED;
    if (looks == 4) plans_.state = v1::Plan::CANCELLED;
  };
  plans_.state = v1::Plan::PLANNED;
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 0) << err();
  EXPECT_EQ(looks, 4);
  EXPECT_THAT(out(), AllOf(HasSubstr("p1: planned"), HasSubstr("p1: confirmed"), HasSubstr("p1: cancelled")));
}

TEST_F(RunTest, WatchEndsWithThePlan) {
  while_waiting_ = [this] { plans_.deleted = true; };
  plans_.state = v1::Plan::PLANNED;
  EXPECT_EQ(Run({"plan", "watch", "p1", "--interval", "500ms"}), 0) << err();
  EXPECT_THAT(err(), HasSubstr("the plan was deleted"));
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 2);
  EXPECT_EQ(Run({"plan", "watch", "p1", "--interval", "1ms"}), 2);
  EXPECT_THAT(err(), HasSubstr("--interval"));
}

TEST_F(RunTest, ManyDeletionsAreOneDocument) {
  for (const char* noun : {"cluster", "plan"}) {
    EXPECT_EQ(Run({noun, "delete", "a", "b", "-o", "json"}), 0) << err();
    EXPECT_EQ(nlohmann::json::parse(out(), nullptr, false), nlohmann::json::object());
    EXPECT_EQ(Run({noun, "delete", "a", "b"}), 0) << err();
    EXPECT_EQ(out(), std::string(noun) + "/a deleted\n" + noun + "/b deleted\n");
  }
}

TEST_F(RunTest, DiffShowsWhereTwoPlansDiffer) {
  EXPECT_EQ(Run({"plan", "diff", "a", "b", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out());
  ASSERT_THAT(json["differences"], SizeIs(1));
  EXPECT_EQ(json["differences"][0]["path"], "request.model.preset");
  EXPECT_EQ(json["differences"][0]["right"], "plans/b");
  EXPECT_EQ(Run({"plan", "diff", "a", "a"}), 0);
  EXPECT_EQ(out(), "");
}

TEST_F(RunTest, VersionShowsTheClientEvenWithoutAServer) {
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_THAT(out(), HasSubstr("Server  9.8.7 (in this process)"));
  EXPECT_EQ(Run({"version", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out())["server"]["version"], "9.8.7");
  estimation_.status = {grpc::StatusCode::UNAVAILABLE, "down"};
  EXPECT_EQ(Run({"version"}), 4);
  EXPECT_THAT(out(), StartsWith("Client  "));
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(out(), StartsWith("plannerctl "));
}

TEST_F(RunTest, HelpIsAnAnswer) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("estimate"));
  EXPECT_EQ(Run({"estimate", "--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("--sequence-parallel"));
  EXPECT_EQ(err(), "");
}

TEST_F(RunTest, CompletionKnowsCommandsAndFlags) {
  EXPECT_EQ(Run({"completion", "bash"}), 0);
  EXPECT_THAT(out(), HasSubstr("'plan create') words='"));
  EXPECT_THAT(out(), HasSubstr("--global-batch "));
  EXPECT_THAT(out(), HasSubstr("complete -o default -F _plannerctl plannerctl"));
  EXPECT_EQ(connected_server_, "never");
}

TEST_F(RunTest, PagesAreWritten) {
  const std::string path = ::testing::TempDir() + "run_test_page.html";
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--html", path}), 0) << err();
  std::ifstream file(path);
  std::string first;
  std::getline(file, first);
  EXPECT_EQ(first, "<!DOCTYPE html>");
  std::remove(path.c_str());
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--html", "/nowhere/page.html"}), 1);
  EXPECT_THAT(err(), HasSubstr("--html: /nowhere/page.html cannot be written"));
}

TEST_F(RunTest, ValidateSendsTheTableAsItIs) {
  input_ = "\xEF\xBB\xBFid,notes\r\n1,\"a, b\"\r\n\xff";
  EXPECT_EQ(Run({"validate", "--runs", "-"}), 0) << err();
  EXPECT_EQ(estimation_.runs_csv, input_);
  EXPECT_THAT(out(), AllOf(HasSubstr("3 rows: 2 predicted, 1 skipped"), Not(HasSubstr("r0"))));
  EXPECT_EQ(Run({"validate", "--runs", "-", "--rows"}), 0);
  EXPECT_THAT(out(), HasSubstr("r0"));

  const std::string path = ::testing::TempDir() + "run_test_runs.csv";
  std::ofstream(path) << "id\n7\n";
  estimation_.validation.add_warnings("careful");
  EXPECT_EQ(Run({"validate", "--runs", path, "-o", "json"}), 0) << err();
  EXPECT_EQ(estimation_.runs_csv, "id\n7\n");
  EXPECT_THAT(err(), HasSubstr("warning: careful"));
}

TEST_F(RunTest, ValidateAnswersInTheWordsOfTheContract) {
  input_ = "id\n7\n";
  ASSERT_EQ(Run({"validate", "--runs", "-", "-o", "json"}), 0) << err();
  const auto answer = nlohmann::json::parse(out());
  const auto& fast = answer["rows"][0];
  EXPECT_EQ(fast["id"], "r0");
  EXPECT_EQ(fast["source"], "a paper / table 1");
  EXPECT_EQ(fast["measuredStepSeconds"], 10);
  EXPECT_EQ(fast["predictedStepSeconds"], 9);
  EXPECT_EQ(fast["lowStepSeconds"], 8);
  EXPECT_EQ(fast["highStepSeconds"], 11);
  EXPECT_EQ(fast["measuredPeakMemoryGib"], 40);
  EXPECT_EQ(fast["predictedPeakMemoryGib"], 44);
  EXPECT_EQ(fast["fits"], true);
  EXPECT_EQ(fast["skipped"], "");
  EXPECT_EQ(answer["rows"][1]["fits"], false);
  EXPECT_EQ(answer["rows"][2]["skipped"], "the model is unknown");
  EXPECT_EQ(answer["rows"][2]["predictedStepSeconds"], 0);
  EXPECT_FALSE(answer["rows"][2].contains("fits"));
  EXPECT_EQ(answer["groups"][0]["source"], "a paper / table 1");
  for (const auto& group : {answer["groups"][0], answer["overall"]}) {
    for (const char* field : {"rowCount", "timeMape", "timeMedianRatio", "timeCoverage90", "memoryMape"}) {
      EXPECT_TRUE(group[field].is_number()) << field;
    }
  }
  EXPECT_EQ(answer["overall"]["rowCount"], 3);
  EXPECT_EQ(answer["overall"]["timeMape"], 0.3);
  EXPECT_EQ(answer["overall"]["skippedCount"], 1);
}

TEST_F(RunTest, ValidateWritesAPage) {
  input_ = "id\n7\n";
  const std::string path = ::testing::TempDir() + "run_test_errors.html";
  EXPECT_EQ(Run({"validate", "--runs", "-", "--html", path}), 0) << err();
  std::stringstream page;
  page << std::ifstream(path).rdbuf();
  EXPECT_THAT(page.str(),
              AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("<h1>runs</h1>"), HasSubstr("class=\"plot\"")));
  EXPECT_EQ(Run({"validate", "--runs", "-", "--html", "/nowhere/page.html"}), 1);
  EXPECT_THAT(err(), HasSubstr("--html: /nowhere/page.html cannot be written"));
}

TEST_F(RunTest, ATableThatIsWrongIsAWrongFlag) {
  EXPECT_EQ(Run({"validate"}), 2);
  EXPECT_THAT(err(), HasSubstr("--runs"));
  EXPECT_EQ(Run({"validate", "--runs", "/nowhere/runs.csv"}), 2);
  EXPECT_THAT(err(), HasSubstr("--runs: /nowhere/runs.csv: no such file"));
  EXPECT_EQ(Run({"validate", "--runs", ::testing::TempDir()}), 2);
  EXPECT_THAT(err(), HasSubstr("is a folder"));
  input_ = std::string((8U << 20) + 1, 'x');
  estimation_.runs_csv = "untouched";
  EXPECT_EQ(Run({"validate", "--runs", "-"}), 2);
  EXPECT_THAT(err(), HasSubstr("larger than 8 MiB"));
  EXPECT_EQ(estimation_.runs_csv, "untouched");
  input_ = "x";
  estimation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "runs_csv: line 1: no column is named \"id\""};
  EXPECT_EQ(Run({"validate", "--runs", "-"}), 2);
  EXPECT_THAT(err(), HasSubstr("error: --runs: line 1: no column is named \"id\""));
}

TEST_F(RunTest, AnAnswerThatCannotBeWrittenIsAFailure) {
  out_.setstate(std::ios::badbit);
  EXPECT_EQ(Run({"version"}), 1);
  EXPECT_THAT(err(), HasSubstr("cannot be written"));
}

TEST_F(RunTest, AReaderThatHasSeenEnoughIsNoError) {
  reader_left_ = true;
  out_.setstate(std::ios::badbit);
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(err(), "");
}

TEST_F(RunTest, AModelFileIsUploadedOnceItIsMissed) {
  const std::string path = ::testing::TempDir() + "run_test_net.pt";
  std::string content = "PK\x03\x04";
  content.append(3'000'000, 'x');
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(Run({"count", "--model", path, "--input", "x=1x3x8x8:float32", "-o", "json"}), 0) << err_.str();
  EXPECT_EQ(estimation_.counts, 2);
  EXPECT_EQ(estimation_.uploaded, content);
  EXPECT_EQ(estimation_.announcement.size_bytes(), 3'000'004);
  EXPECT_EQ(estimation_.announcement.sha256(), estimation_.count_request.model().uploaded_file().sha256());
  EXPECT_EQ(estimation_.count_request.model().display_name(), "run_test_net");
  EXPECT_EQ(estimation_.count_request.batch_shape().inputs(0).name(), "x");
  EXPECT_THAT(err_.str(), IsEmpty());  // No progress: it is no terminal.
  // The server has it now.
  EXPECT_EQ(Run({"count", "--model", path}), 0);
  EXPECT_EQ(estimation_.counts, 3);
  EXPECT_EQ(estimation_.uploaded, content);
  estimation_.uploaded.clear();
  estimation_.upload_status = {grpc::StatusCode::RESOURCE_EXHAUSTED, "there is no room"};
  EXPECT_EQ(Run({"count", "--model", path}), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("upload: there is no room"), HasSubstr(path)));
  std::remove(path.c_str());
}

TEST_F(RunTest, AModelFileThatIsNoneIsNotUploaded) {
  EXPECT_EQ(Run({"count", "--model", "missing.pt"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("missing.pt: no such file"));
  EXPECT_EQ(estimation_.counts, 0);
}

}  // namespace
}  // namespace planner::plannerctl
