#include "clients/jobs/gpu_request.h"

#include <gtest/gtest.h>

namespace planner::jobs {
namespace {

TEST(GpuRequestTest, CountsTheWholeJob) {
  const auto total = [](GpuScope scope, int64_t count, JobSize size) {
    return TotalGpus({.scope = scope, .count = count}, size);
  };
  EXPECT_EQ(*total(GpuScope::kJob, 16, {.nodes = 2}), 16);
  EXPECT_EQ(*total(GpuScope::kNode, 8, {.nodes = 4}), 32);
  EXPECT_EQ(*total(GpuScope::kNode, 8, {}), 8);
  EXPECT_EQ(*total(GpuScope::kNode, 8, {.tasks = 16, .tasks_per_node = 8}), 16) << "two nodes, though none are named";
  EXPECT_EQ(*total(GpuScope::kNode, 8, {.nodes = 1, .tasks = 17, .tasks_per_node = 8}), 24);
  EXPECT_EQ(*total(GpuScope::kNode, 8, {.nodes = 4, .tasks = 16, .tasks_per_node = 8}), 32);
  EXPECT_EQ(*total(GpuScope::kSocket, 4, {.tasks = 4, .tasks_per_node = 2, .sockets_per_node = 2}), 16);
  EXPECT_EQ(*total(GpuScope::kNode, 8, {.tasks = 16, .tasks_per_node = 0}), 8);
  EXPECT_EQ(*total(GpuScope::kTask, 2, {.tasks = 4}), 8);
  EXPECT_EQ(*total(GpuScope::kTask, 1, {.nodes = 2, .tasks_per_node = 8}), 16);
  EXPECT_EQ(*total(GpuScope::kSocket, 4, {.nodes = 2, .sockets_per_node = 2}), 16);
  EXPECT_FALSE(total(GpuScope::kSocket, 4, {.nodes = 2}).ok());
  EXPECT_FALSE(total(GpuScope::kNode, 1000, {.nodes = 1001}).ok());
  EXPECT_FALSE(total(GpuScope::kTask, 1, {.nodes = 4'000'000'000, .tasks_per_node = 65'000}).ok()) << "no overflow";
}

TEST(GpuRequestTest, WholeNodesHaveAllTheirGpus) {
  const GpuRequest one{.scope = GpuScope::kNode, .count = 1};
  EXPECT_EQ(*TotalGpus(one, {.nodes = 2, .has_whole_nodes = true}, 8), 16);
  EXPECT_EQ(*TotalGpus(one, {.nodes = 2, .has_whole_nodes = true}), 2) << "nobody knows how many";
  EXPECT_EQ(*TotalGpus(one, {.nodes = 2}, 8), 2);
  EXPECT_EQ(*TotalGpus({.scope = GpuScope::kJob, .count = 12}, {.has_whole_nodes = true}, 8), 16);
  EXPECT_EQ(*TotalGpus(one, {.tasks = 16, .tasks_per_node = 8, .has_whole_nodes = true}, 4), 8);
  EXPECT_FALSE(TotalGpus(one, {.nodes = 1'000'000, .has_whole_nodes = true}, 8).ok());
}

TEST(GpuRequestTest, ResizesInTheScopeOfTheJob) {
  const auto per_node = Resized({.scope = GpuScope::kNode, .count = 8}, {.nodes = 1}, 32, 8);
  ASSERT_TRUE(per_node.ok());
  EXPECT_EQ(per_node->gpus.count, 8);
  EXPECT_EQ(per_node->nodes, 4);
  const auto same_nodes = Resized({.scope = GpuScope::kNode, .count = 2}, {.nodes = 2}, 8, 8);
  EXPECT_EQ(same_nodes->gpus.count, 4);
  EXPECT_FALSE(same_nodes->nodes.has_value());
  const auto of_tasks = Resized({.scope = GpuScope::kNode, .count = 4}, {.tasks = 16, .tasks_per_node = 8}, 16, 8);
  EXPECT_EQ(of_tasks->gpus.count, 8);
  EXPECT_FALSE(of_tasks->nodes.has_value()) << "its tasks need two nodes anyway";
  EXPECT_EQ(Resized({.scope = GpuScope::kJob, .count = 2}, {}, 24, 8)->gpus.count, 24);
  EXPECT_EQ(Resized({.scope = GpuScope::kTask, .count = 1}, {.tasks = 4}, 8, 8)->gpus.count, 2);
  EXPECT_FALSE(Resized({.scope = GpuScope::kTask, .count = 1}, {.tasks = 4}, 6, 8).ok());
}

}  // namespace
}  // namespace planner::jobs
