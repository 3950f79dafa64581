#include "clients/slurm/slurm_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "clients/slurm/host_names.h"
#include "clients/slurm/inventory.h"
#include "core/base/error.h"

namespace planner::slurm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Recorded(const std::string& name) {
  std::ifstream file(RECORDED_FOLDER "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(HostNamesTest, UnfoldsAndFolds) {
  EXPECT_THAT(*HostNames("n[01-03,7],login1"), ElementsAre("n01", "n02", "n03", "n7", "login1"));
  EXPECT_THAT(*HostNames("r[1-2]n[0-1]"), ElementsAre("r1n0", "r1n1", "r2n0", "r2n1"));
  EXPECT_THAT(*HostNames(""), IsEmpty());
  EXPECT_EQ(HostListOf({"n02", "n01", "x", "n04"}), "n[01-02,04],x");
  EXPECT_EQ(HostListOf({"n7"}), "n7");
  for (const std::string& text :
       {std::string("n["), std::string("n]"), std::string("n[2-1]"), std::string("n[1-999999999]"), std::string("a,,b"),
        std::string("n[[1]]"), std::string("n[a]"), std::string("n[1-2][1-9999][1-9999]"), std::string("a b"),
        std::string("$(x)"), std::string(size_t{2} << 20, 'a')}) {
    EXPECT_FALSE(HostNames(text).ok()) << text.substr(0, 40);
  }
}

TEST(HostNamesTest, RandomNamesComeBack) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::set<std::string> names;
    for (int n = 0; n < 50; ++n)
      names.insert(std::string(1, "abc"[random() % 3]) + std::string(random() % 3, '0') +
                   std::to_string(random() % 200));
    const auto back = HostNames(HostListOf({names.begin(), names.end()}));
    ASSERT_TRUE(back.ok());
    ASSERT_EQ(std::set<std::string>(back->begin(), back->end()), names);
    ASSERT_EQ(back->size(), names.size());
  }
}

TEST(SlurmStateTest, ReadsNodesOf2205) {
  const auto nodes = ParseNodes(Recorded("sinfo-22.05.json"));
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->size(), 4U);
  EXPECT_EQ((*nodes)[0].name, "n01");
  EXPECT_EQ((*nodes)[0].gpus[0].type, "a100");
  EXPECT_EQ((*nodes)[0].gpus[0].count, 8);
  EXPECT_EQ((*nodes)[0].gpus_used, 1);
  EXPECT_EQ((*nodes)[0].state, SlurmNode::State::kReady);
  EXPECT_EQ((*nodes)[3].state, SlurmNode::State::kDrained);
  EXPECT_EQ((*nodes)[3].reason, "testing");
}

TEST(SlurmStateTest, ReadsNodesOf2311) {
  const auto nodes = ParseNodes(Recorded("scontrol-nodes-23.11.json"));
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->size(), 5U);
  EXPECT_EQ((*nodes)[0].state, SlurmNode::State::kReady);
  EXPECT_EQ((*nodes)[0].gpus_used, 6);
  EXPECT_EQ((*nodes)[1].state, SlurmNode::State::kDrained);
  EXPECT_EQ((*nodes)[2].state, SlurmNode::State::kDown);
  EXPECT_EQ((*nodes)[3].state, SlurmNode::State::kDrained) << "maintenance";
  EXPECT_THAT((*nodes)[4].gpus, IsEmpty());
}

TEST(SlurmStateTest, ReadsJobsOf2205) {
  const auto jobs = ParseJobs(Recorded("squeue-22.05.json"));
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_EQ(jobs->size(), 7U);
  EXPECT_EQ((*jobs)[0].state, SlurmJob::State::kCompleted);
  EXPECT_EQ((*jobs)[1].state, SlurmJob::State::kCancelled);
  EXPECT_EQ((*jobs)[2].state, SlurmJob::State::kFailed);
  const SlurmJob& running = (*jobs)[4];
  EXPECT_EQ(running.state, SlurmJob::State::kRunning);
  EXPECT_THAT(running.nodes, ElementsAre("n01"));
  EXPECT_THAT(running.gpus, ElementsAre(1));
  EXPECT_EQ(running.end, absl::FromUnixSeconds(1795716852));
  EXPECT_EQ(running.admin_comment, "planner:plan=plans/x");
}

TEST(SlurmStateTest, ReadsJobsOf2311) {
  const auto jobs = ParseJobs(Recorded("squeue-23.11.json"));
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_EQ(jobs->size(), 7U);
  EXPECT_EQ((*jobs)[0].state, SlurmJob::State::kRunning);
  EXPECT_EQ((*jobs)[0].end, absl::FromUnixSeconds(1795796400));
  EXPECT_EQ((*jobs)[1].end, absl::InfiniteFuture()) << "no limit";
  EXPECT_EQ((*jobs)[2].state, SlurmJob::State::kPending);
  EXPECT_EQ((*jobs)[3].state, SlurmJob::State::kCompleted);
  EXPECT_EQ((*jobs)[4].state, SlurmJob::State::kFailed);
  EXPECT_EQ((*jobs)[5].state, SlurmJob::State::kTimeout);
}

TEST(SlurmStateTest, WhatCannotBeReadIsAnErrorWithItsPath) {
  const auto error = [](const std::string& text) { return std::string(ParseNodes(text).status().message()); };
  EXPECT_THAT(error(""), HasSubstr("nodes: Slurm's answer is no JSON object"));
  EXPECT_THAT(error("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(error("{\"nodes\": 7}"), HasSubstr("no such list"));
  EXPECT_THAT(error("{\"errors\": [{\"error\": \"down\"}], \"nodes\": []}"), HasSubstr("Slurm reports an error: down"));
  EXPECT_THAT(error(R"({"nodes": [{"name": "a", "state": "idle"}, {"name": 7, "state": "idle"}]})"),
              HasSubstr("nodes[1].name: is no text"));
  EXPECT_THAT(error(R"({"nodes": [{"name": "a", "state": {}}]})"), HasSubstr("nodes[0].state: is neither"));
  EXPECT_THAT(error(R"({"nodes": [{"name": "a"}]})"), HasSubstr("nodes[0].state: is missing"));
  EXPECT_THAT(error(R"({"nodes": [{"name": "a", "state": "idle", "gres": "gpu:a100:99999999999"}]})"),
              HasSubstr("nodes[0].gres: "));
  EXPECT_THAT(error("{\"nodes\": " + std::string(100'000, '[')), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(
      std::string(
          ParseJobs(
              R"({"jobs": [{"job_id": 1, "job_state": ["RUNNING"], "nodes": "n[1-2]", "gres_detail": ["gpu:1"]}]})")
              .status()
              .message()),
      HasSubstr("jobs[0].gres_detail: has not one entry a node"));
  EXPECT_EQ(base::DetailOf(ParseJobs(R"({"jobs": [{"job_id": {"set": true}, "job_state": "x"}]})").status()).field,
            "jobs[0].job_id");
}

TEST(SlurmStateTest, DamagedAnswersAreReadOrRefused) {
  std::mt19937 random(9);
  for (const char* name : {"sinfo-22.05.json", "squeue-22.05.json", "scontrol-nodes-23.11.json", "squeue-23.11.json"}) {
    const std::string whole = Recorded(name);
    for (int i = 0; i < 300; ++i) {
      std::string text = whole;
      for (int n = 0; n < 3; ++n) text[random() % text.size()] = static_cast<char>(random() % 256);
      if (i % 3 == 0) text.resize(random() % text.size());
      const auto nodes = ParseNodes(text);
      const auto jobs = ParseJobs(text);
      if (nodes.ok() && jobs.ok()) ADD_FAILURE() << "both at once";
    }
  }
}

class InventoryTest : public ::testing::Test {
 protected:
  InventoryTest() {
    nodes_ = *ParseNodes(Recorded("scontrol-nodes-23.11.json"));
    jobs_ = *ParseJobs(Recorded("squeue-23.11.json"));
  }
  absl::StatusOr<Inventory> Build() {
    return InventoryOf(before_, nodes_, jobs_, absl::FromUnixSeconds(1795716850), options_);
  }

  v1::Cluster before_;
  std::vector<SlurmNode> nodes_;
  std::vector<SlurmJob> jobs_;
  InventoryOptions options_;
};

TEST_F(InventoryTest, HasNodesStatesAndRunningJobs) {
  options_.gpu_types = {{"h100", "H100-SXM-80GB"}};
  const auto inventory = Build();
  ASSERT_TRUE(inventory.ok()) << inventory.status();
  ASSERT_EQ(inventory->cluster.node_pools_size(), 1);
  const v1::NodePool& pool = inventory->cluster.node_pools(0);
  EXPECT_EQ(pool.name(), "h100");
  EXPECT_EQ(pool.gpu_type(), "H100-SXM-80GB");
  EXPECT_EQ(pool.node_count(), 4);
  EXPECT_EQ(pool.gpus_per_node(), 8);
  EXPECT_EQ(pool.node_names(), "g[1-4]");
  ASSERT_EQ(pool.node_conditions_size(), 3);
  ASSERT_EQ(pool.occupations_size(), 3) << "two jobs, and a GPU that nobody claims";
  EXPECT_EQ(pool.occupations(0).gpus_per_node(), 4);
  EXPECT_EQ(pool.occupations(0).release_time().seconds(), 1795796400);
  EXPECT_EQ(pool.occupations(0).tenant(), "nlp");
  EXPECT_EQ(pool.occupations(1).gpus_per_node(), 1);
  EXPECT_FALSE(pool.occupations(1).has_release_time());
  EXPECT_EQ(pool.occupations(2).gpus_per_node(), 1);
  EXPECT_THAT(pool.occupations(2).description(), HasSubstr("no job"));
}

TEST_F(InventoryTest, WhatAnAdministratorHasSaidStays) {
  before_.set_name("clusters/main");
  v1::NodePool& old = *before_.add_node_pools();
  old.set_name("h100");
  old.set_gpu_type("H100-SXM-80GB");
  old.set_price_per_gpu_hour(2.9);
  old.add_occupations()->set_nodes("gone");
  before_.add_quotas()->set_tenant("nlp");
  const auto inventory = Build();
  ASSERT_TRUE(inventory.ok()) << inventory.status();
  EXPECT_EQ(inventory->cluster.node_pools(0).price_per_gpu_hour(), 2.9);
  EXPECT_EQ(inventory->cluster.node_pools(0).gpu_type(), "H100-SXM-80GB");
  EXPECT_EQ(inventory->cluster.quotas_size(), 1);
  EXPECT_EQ(inventory->cluster.node_pools(0).occupations(0).nodes(), "g1");
}

TEST_F(InventoryTest, AnAnswerThatNobodyBelievesChangesNothing) {
  nodes_.clear();
  EXPECT_EQ(Build().status().code(), absl::StatusCode::kFailedPrecondition);
  nodes_ = *ParseNodes(Recorded("sinfo-22.05.json"));
  nodes_.push_back(nodes_[0]);
  EXPECT_EQ(Build().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(InventoryTest, JobsNeverTakeMoreThanANodeHas) {
  jobs_[0].gpus = {100};
  const auto inventory = Build();
  ASSERT_TRUE(inventory.ok());
  EXPECT_EQ(inventory->cluster.node_pools(0).occupations(0).gpus_per_node(), 8);
  EXPECT_EQ(inventory->cluster.node_pools(0).occupations_size(), 1);
}

TEST_F(InventoryTest, SizesOfNodesArePoolsOfTheirOwn) {
  nodes_[1].gpus[0].count = 4;
  const auto inventory = Build();
  ASSERT_TRUE(inventory.ok());
  ASSERT_EQ(inventory->cluster.node_pools_size(), 2);
  EXPECT_EQ(inventory->cluster.node_pools(0).name(), "h100-4");
  EXPECT_EQ(inventory->cluster.node_pools(1).name(), "h100-8");
}

}  // namespace
}  // namespace planner::slurm
