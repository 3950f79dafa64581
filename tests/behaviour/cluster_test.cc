#include <gmock/gmock.h>

#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Property;
using Service = v1::ClusterService::Stub;
using Estimation = v1::EstimationService::Stub;

constexpr char kMain[] = "name: 'clusters/main' node_pools { gpu_type: 'h100' node_count: 4 price_per_gpu_hour: 2.5 }";

class ClusterBehaviour : public PlannerTest {
 protected:
  v1::Cluster Create(const std::string& cluster) { return Ask(&Service::CreateCluster, "cluster { " + cluster + " }"); }
};

TEST_P(ClusterBehaviour, IsCreatedWithItsDefaultsFilledIn) {
  const v1::Cluster cluster = Create(kMain);
  EXPECT_EQ(cluster.name(), "clusters/main");
  EXPECT_EQ(cluster.currency(), "USD");
  EXPECT_EQ(cluster.node_pools(0).name(), "h100-sxm-80gb");
  EXPECT_EQ(cluster.node_pools(0).gpu_type(), "H100-SXM-80GB");
  EXPECT_EQ(cluster.node_pools(0).gpus_per_node(), 8);
  EXPECT_NE(cluster.etag(), "");
  EXPECT_GT(cluster.create_time().seconds(), 0);
  EXPECT_EQ(Ask(&Service::GetCluster, "name: 'main'").SerializeAsString(), cluster.SerializeAsString());
  EXPECT_EQ(Ask(&Service::GetCluster, "name: 'clusters/main'").SerializeAsString(), cluster.SerializeAsString());
}

TEST_P(ClusterBehaviour, TwoOfOneNameAreRefused) {
  Create(kMain);
  EXPECT_EQ(Fail(&Service::CreateCluster, std::string("cluster { ") + kMain + " }").error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
}

TEST_P(ClusterBehaviour, ARequestIdIsAnsweredTwice) {
  const std::string request = std::string("request_id: 'r1' cluster { ") + kMain + " }";
  const v1::Cluster first = Ask(&Service::CreateCluster, request);
  EXPECT_EQ(Ask(&Service::CreateCluster, request).etag(), first.etag());
}

TEST_P(ClusterBehaviour, ValidateOnlyStoresNothing) {
  const v1::Cluster checked =
      Ask(&Service::CreateCluster, std::string("validate_only: true cluster { ") + kMain + " }");
  EXPECT_EQ(checked.name(), "clusters/main");
  EXPECT_EQ(checked.etag(), "");
  EXPECT_EQ(Fail(&Service::GetCluster, "name: 'main'").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(ClusterBehaviour, UpdatesCompareEtags) {
  const v1::Cluster first = Create(kMain);
  const std::string change = "update_mask { paths: 'description' } cluster { name: 'main' description: 'new' etag: '";
  const v1::Cluster second = Ask(&Service::UpdateCluster, change + first.etag() + "' }");
  EXPECT_EQ(second.description(), "new");
  EXPECT_EQ(second.node_pools_size(), 1);
  EXPECT_NE(second.etag(), first.etag());
  const grpc::Status late = Fail(&Service::UpdateCluster, change + first.etag() + "' }");
  EXPECT_EQ(late.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Fail(&Service::DeleteCluster, "name: 'main' etag: '" + first.etag() + "'").error_code(),
            grpc::StatusCode::ABORTED);
  Ask(&Service::DeleteCluster, "name: 'main' etag: '" + second.etag() + "'");
  EXPECT_EQ(Fail(&Service::GetCluster, "name: 'main'").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(ClusterBehaviour, AnUpdateWithoutChangeKeepsTheEtag) {
  const v1::Cluster first = Create(kMain);
  EXPECT_EQ(Ask(&Service::UpdateCluster, std::string("cluster { ") + kMain + " }").etag(), first.etag());
}

TEST_P(ClusterBehaviour, AllowMissingCreates) {
  const std::string request = std::string("cluster { ") + kMain + " }";
  EXPECT_EQ(Fail(&Service::UpdateCluster, request).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Ask(&Service::UpdateCluster, "validate_only: true allow_missing: true " + request).etag(), "");
  EXPECT_NE(Ask(&Service::UpdateCluster, "allow_missing: true " + request).etag(), "");
}

TEST_P(ClusterBehaviour, ListsComeInPagesByName) {
  for (const char* name : {"b", "c", "a"}) Create("name: '" + std::string(name) + "'");
  const auto first = Ask(&Service::ListClusters, "page_size: 2");
  const auto second = Ask(&Service::ListClusters, "page_size: 2 page_token: '" + first.next_page_token() + "'");
  EXPECT_THAT(first.clusters(),
              ElementsAre(Property(&v1::Cluster::name, "clusters/a"), Property(&v1::Cluster::name, "clusters/b")));
  EXPECT_THAT(second.clusters(), ElementsAre(Property(&v1::Cluster::name, "clusters/c")));
  EXPECT_EQ(second.next_page_token(), "");
  EXPECT_EQ(FieldOf(Fail(&Service::ListClusters, "page_size: -1")), "page_size");
}

TEST_P(ClusterBehaviour, BadInputNamesItsFieldAndStoresNothing) {
  const auto field = [&](const std::string& cluster) {
    return FieldOf(Fail(&Service::CreateCluster, "cluster { " + cluster + " }"));
  };
  EXPECT_EQ(field("name: 'a b'"), "cluster.name");
  EXPECT_EQ(field("name: 'a' node_pools { gpu_type: 'h100' node_count: 0 }"), "cluster.node_pools[0].node_count");
  EXPECT_EQ(field("name: 'a' node_pools { gpu_type: 'h100' node_count: 1 price_per_gpu_hour: nan }"),
            "cluster.node_pools[0].price_per_gpu_hour");
  EXPECT_EQ(field("name: 'a' node_pools { gpu_type: 'h100' node_count: 1 } node_pools { gpu_type: 'H100-SXM-80GB' "
                  "node_count: 1 }"),
            "cluster.node_pools[1].name");
  const grpc::Status unknown =
      Fail(&Service::CreateCluster, "cluster { name: 'a' node_pools { gpu_type: 'h1000' node_count: 1 } }");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(), HasSubstr("cluster.node_pools[0].gpu_type"));
  EXPECT_TRUE(Ask(&Service::ListClusters, "").clusters().empty());
}

TEST_P(ClusterBehaviour, EstimatesFollowTheInventory) {
  constexpr char kJob[] = "model { preset: 'llama-7b' } data_set { token_count: 1e12 } ";
  Create(kMain);
  auto answer = Ask(&Estimation::Estimate, std::string(kJob) + "resources { cluster: 'main' }");
  ASSERT_FALSE(answer.recommendations().empty());
  EXPECT_THAT(answer.recommendations(), Each(Property(&v1::Recommendation::gpu_type, "H100-SXM-80GB")));
  EXPECT_THAT(answer.recommendations(), Each(Property(&v1::Recommendation::cluster, "main")));
  const v1::Recommendation& best = answer.recommendations(0);
  EXPECT_LE(best.gpu_count(), 32);
  EXPECT_EQ(best.currency(), "USD");
  EXPECT_DOUBLE_EQ(best.cost(), best.gpu_hours() * 2.5);
  EXPECT_THAT(answer.provenance().clusters(0), HasSubstr("clusters/main"));
  // Every configured cluster, where the request names none.
  EXPECT_EQ(Ask(&Estimation::Estimate, kJob).recommendations(0).cluster(), "main");
  // A change is seen by the next request.
  Ask(&Service::UpdateCluster, "cluster { name: 'main' node_pools { gpu_type: 'h200' node_count: 4 } }");
  answer = Ask(&Estimation::Estimate, std::string(kJob) + "resources { cluster: 'clusters/main' }");
  EXPECT_THAT(answer.recommendations(), Each(Property(&v1::Recommendation::gpu_type, "H200-SXM-141GB")));
  const grpc::Status missing =
      Fail(&Estimation::Estimate, std::string(kJob) + "resources { cluster: 'main' gpu_types: 'a100' }");
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(ClusterBehaviour, OutlivesTheProcess) {
  const v1::Cluster before = Create(kMain);
  Restart();
  EXPECT_EQ(Ask(&Service::GetCluster, "name: 'main'").SerializeAsString(), before.SerializeAsString());
}

TEST_P(ClusterBehaviour, GpuTypesAreACatalogue) {
  EXPECT_GE(Ask(&Service::ListGpuTypes, "").gpu_types_size(), 55);
  const v1::GpuType type = Ask(&Service::GetGpuType, "name: 'a100'");
  EXPECT_EQ(type.name(), "A100-SXM-80GB");
  EXPECT_GT(type.memory_bytes(), 79LL << 30);
  const grpc::Status unknown = Fail(&Service::GetGpuType, "name: 'a1000'");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(), HasSubstr("A100"));
}

INSTANTIATE_TEST_SUITE_P(Places, ClusterBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
