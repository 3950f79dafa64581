#include "clients/plannerctl/cluster_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

void ExpectSample(const v1::Cluster& cluster) {
  EXPECT_EQ(cluster.name(), "main");
  ASSERT_THAT(cluster.node_pools(), SizeIs(1));
  EXPECT_EQ(cluster.node_pools(0).gpu_type(), "h100");
  EXPECT_EQ(cluster.node_pools(0).node_count(), 16);
  EXPECT_EQ(cluster.node_pools(0).price_per_gpu_hour(), 2.5);
}

TEST(ParseClustersTest, Yaml) {
  const auto clusters =
      ParseClusters("name: main\nnode_pools:\n  - gpu_type: h100\n    node_count: 16\n    price_per_gpu_hour: 2.5\n");
  ASSERT_TRUE(clusters.ok()) << clusters.status();
  ASSERT_THAT(*clusters, SizeIs(1));
  ExpectSample(clusters->front());
}

TEST(ParseClustersTest, BrokenJsonSaysWhere) {
  EXPECT_EQ(ParseClusters("{\"name\": \"a\",\n \"nodePools\": [,]}").status().message(), "is not valid JSON: line 2, column 16");
  EXPECT_EQ(ParseClusters("{").status().message(), "is not valid JSON: line 1, column 2");
}

TEST(ParseClustersTest, YamlOfSeveralDocumentsAndLists) {
  EXPECT_THAT(*ParseClusters("---\nname: a\n---\nname: b\n---\n"), SizeIs(2));
  const auto clusters = ParseClusters("clusters:\n  - name: a\n  - name: 7\n");
  ASSERT_TRUE(clusters.ok()) << clusters.status();
  EXPECT_EQ((*clusters)[1].name(), "7");
}

TEST(ParseClustersTest, Json) {
  const auto cluster =
      ParseClusters(R"({"name":"main","nodePools":[{"gpuType":"h100","nodeCount":16,"pricePerGpuHour":2.5}]})");
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  ExpectSample(cluster->front());
  EXPECT_THAT(*ParseClusters(R"({"clusters":[{"name":"a"},{"name":"b"}]})"), SizeIs(2));
  EXPECT_THAT(*ParseClusters(R"([{"name":"a"}])"), SizeIs(1));
}

TEST(ParseClustersTest, TextFormat) {
  const auto clusters =
      ParseClusters("name: \"main\"\nnode_pools { gpu_type: \"h100\" node_count: 16 price_per_gpu_hour: 2.5 }\n");
  ASSERT_TRUE(clusters.ok()) << clusters.status();
  ExpectSample(clusters->front());
}

TEST(ParseClustersTest, SaysWhatIsWrong) {
  const auto error = [](std::string_view text) {
    const auto clusters = ParseClusters(text);
    EXPECT_EQ(clusters.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(clusters.status().message());
  };
  EXPECT_THAT(error(""), HasSubstr("no cluster"));
  EXPECT_THAT(error("---\n---\n"), HasSubstr("no cluster"));
  EXPECT_THAT(error("name: main\nnodes: 3\n"), HasSubstr("nodes"));
  EXPECT_THAT(error("name: main\nname: other\n"), HasSubstr("twice"));
  EXPECT_THAT(error("just text"), HasSubstr("not an object"));
  EXPECT_THAT(error("a: [1\n"), HasSubstr("YAML"));
  EXPECT_THAT(error(R"({"name":)"), HasSubstr("JSON"));
  EXPECT_THAT(error("node_pools { gpus: 3 }"), HasSubstr("line 1"));
  EXPECT_THAT(error("node_pools:\n  - node_count: many\n"), HasSubstr("many"));
  EXPECT_THAT(error("clusters: []\nname: x\n"), HasSubstr("other fields"));
}

TEST(ParseClustersTest, BombsStopEarly) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(std::string(ParseClusters(bomb).status().message()), HasSubstr("100,000 nodes"));
  EXPECT_FALSE(ParseClusters(std::string(1000, '[')).ok());
  EXPECT_FALSE(ParseClusters("a: " + std::string(100000, '[')).ok());
}

}  // namespace
}  // namespace planner::plannerctl
