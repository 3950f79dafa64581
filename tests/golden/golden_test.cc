#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/fake_clock.h"
#include "gtest/gtest.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"

namespace planner {
namespace {

constexpr char kRequestSuffix[] = ".request.textproto";
constexpr char kPlanSuffix[] = ".plan.json";

std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GOLDEN_DIRECTORY)) {
    const std::string name = entry.path().filename();
    const size_t end = name.rfind(kRequestSuffix);
    if (end != std::string::npos) names.push_back(name.substr(0, end));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

v1::Cluster SampleCluster() {
  v1::Cluster cluster;
  cluster.set_name("sample");
  for (const auto& [gpu, nodes, price] : {std::tuple("A100-SXM-80GB", 32, 1.6), std::tuple("H100-SXM-80GB", 16, 2.9)}) {
    v1::NodePool* pool = cluster.add_node_pools();
    pool->set_gpu_type(gpu);
    pool->set_node_count(nodes);
    pool->set_price_per_gpu_hour(price);
  }
  return cluster;
}

class GoldenTest : public ::testing::TestWithParam<std::string> {};

/// The same request on the same inventory at the same time gives the same bytes. Whoever changes a plan on purpose writes the files
/// anew with PLANNER_UPDATE_GOLDEN=1 and shows the difference in the commit.
TEST_P(GoldenTest, PlanIsAsRecorded) {
  const std::string base = std::string(GOLDEN_DIRECTORY) + "/" + GetParam();
  v1::EstimateRequest request;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(ReadFile(base + kRequestSuffix), &request));

  const base::FakeClock clock;
  app::AppOptions options;
  options.clock = &clock;
  options.clusters = {SampleCluster()};
  absl::StatusOr<std::unique_ptr<app::App>> app = app::App::Create(std::move(options));
  ASSERT_TRUE(app.ok()) << app.status();
  ASSERT_TRUE((*app)->Prepare().ok());
  const auto stub = v1::EstimationService::NewStub((*app)->InProcessChannel());

  v1::EstimateResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub->Estimate(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  // Neither is of the plan: the version changes with every release, the etag with every store.
  response.mutable_provenance()->clear_planner_version();
  response.mutable_provenance()->clear_clusters();

  google::protobuf::util::JsonPrintOptions print;
  print.add_whitespace = true;
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(response, &json, print).ok());
  if (std::getenv("PLANNER_UPDATE_GOLDEN") != nullptr) std::ofstream(base + kPlanSuffix) << json;
  EXPECT_EQ(json, ReadFile(base + kPlanSuffix));
}

INSTANTIATE_TEST_SUITE_P(Plans, GoldenTest, ::testing::ValuesIn(GoldenNames()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace planner
