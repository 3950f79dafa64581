// Clusters, plans and catalogues.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RunPlanTest : public RunTest {};

TEST_F(RunPlanTest, ListsHaveAllPages) {
  EXPECT_EQ(Run({"model", "list", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out());
  EXPECT_THAT(json["models"], SizeIs(2));
  EXPECT_EQ(json["nextPageToken"], "");
  EXPECT_EQ(Run({"model", "list", "--no-headers"}), 0);
  EXPECT_THAT(out(), StartsWith("gpt2"));
  estimation_.endless_pages = true;
  EXPECT_EQ(Run({"model", "list"}), 1);
}

TEST_F(RunPlanTest, ApplySaysWhatItDid) {
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

TEST_F(RunPlanTest, WhatAClusterBreaksIsSaid) {
  input_ = "name: main\nnode_pools: [{gpu_type: h100, node_count: 2}]\n";
  clusters_.warning = "plans/p1 no longer holds: 1 of its 3 nodes are not in the pool any more";
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}), 0);
  EXPECT_EQ(out(), "cluster/main created\n");
  EXPECT_THAT(err(), HasSubstr(clusters_.warning));
  EXPECT_EQ(Run({"cluster", "delete", "main"}), 0);
  EXPECT_FALSE(clusters_.is_forced);
  EXPECT_EQ(Run({"cluster", "delete", "main", "--force"}), 0);
  EXPECT_TRUE(clusters_.is_forced);
}

TEST_F(RunPlanTest, BookingsAreCalledTheSameEverywhere) {
  plans_.reservation.set_gpu_count(8);
  plans_.reservation.set_state(v1::Reservation::FIRM);
  plans_.reservation.set_conflict("1 of its 3 nodes are DOWN");
  EXPECT_EQ(Run({"plan", "list"}), 0);
  EXPECT_THAT(out(), HasSubstr("firm, no longer holds"));
  EXPECT_EQ(Run({"plan", "get", "p1"}), 0);
  EXPECT_THAT(out(), HasSubstr(": firm, no longer holds\n        1 of its 3 nodes are DOWN\n"));
  plans_.reservation.set_state(v1::Reservation::RELEASED);
  EXPECT_EQ(Run({"plan", "get", "p1"}), 0);
  EXPECT_THAT(out(), HasSubstr(": released\n"));
}

TEST_F(RunPlanTest, PlansAreCreatedAndConfirmed) {
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

TEST_F(RunPlanTest, WatchPrintsEveryChangeUntilTheLast) {
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

TEST_F(RunPlanTest, WatchEndsWithThePlan) {
  while_waiting_ = [this] { plans_.deleted = true; };
  plans_.state = v1::Plan::PLANNED;
  EXPECT_EQ(Run({"plan", "watch", "p1", "--interval", "500ms"}), 0) << err();
  EXPECT_THAT(err(), HasSubstr("the plan was deleted"));
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 2);
  EXPECT_EQ(Run({"plan", "watch", "p1", "--interval", "1ms"}), 2);
  EXPECT_THAT(err(), HasSubstr("--interval"));
}

TEST_F(RunPlanTest, ManyDeletionsAreOneDocument) {
  for (const char* noun : {"cluster", "plan"}) {
    EXPECT_EQ(Run({noun, "delete", "a", "b", "-o", "json"}), 0) << err();
    EXPECT_EQ(nlohmann::json::parse(out(), nullptr, false), nlohmann::json::object());
    EXPECT_EQ(Run({noun, "delete", "a", "b"}), 0) << err();
    EXPECT_EQ(out(), std::string(noun) + "/a deleted\n" + noun + "/b deleted\n");
  }
}

TEST_F(RunPlanTest, DiffShowsWhereTwoPlansDiffer) {
  EXPECT_EQ(Run({"plan", "diff", "a", "b", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out());
  ASSERT_THAT(json["differences"], SizeIs(1));
  EXPECT_EQ(json["differences"][0]["path"], "request.model.preset");
  EXPECT_EQ(json["differences"][0]["right"], "plans/b");
  EXPECT_EQ(Run({"plan", "diff", "a", "a"}), 0);
  EXPECT_EQ(out(), "");
}

}  // namespace
}  // namespace planner::plannerctl
