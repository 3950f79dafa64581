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
using ::testing::Not;
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
  plans_.watches = {
      {{v1::Plan::PLANNED, v1::Plan::CONFIRMED, v1::Plan::CANCELLED, v1::Plan::PLANNED}, grpc::Status::OK}};
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 0) << err();
  EXPECT_THAT(out(), AllOf(HasSubstr("p1: planned"), HasSubstr("p1: confirmed"), HasSubstr("p1: cancelled")));
  EXPECT_EQ(out().rfind("planned"), out().find("planned")) << "nothing comes after the end";
}

TEST_F(RunPlanTest, WatchEndsWithThePlan) {
  plans_.watches = {{{v1::Plan::PLANNED}, {grpc::StatusCode::NOT_FOUND, "gone"}}};
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 0) << err();
  EXPECT_THAT(err(), HasSubstr("the plan was deleted"));
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 2) << "there is none";
}

TEST_F(RunPlanTest, WatchAsksAgainWhenTheConnectionIsLost) {
  const grpc::Status ends(grpc::StatusCode::UNAVAILABLE, "the daemon ends");
  plans_.watches = {{{v1::Plan::PLANNED}, ends}, {{}, ends}, {{v1::Plan::PLANNED, v1::Plan::CANCELLED}, ends}};
  int waits = 0;
  while_waiting_ = [&] { ++waits; };
  EXPECT_EQ(Run({"plan", "watch", "p1", "-o", "json"}), 0) << err();
  EXPECT_EQ(waits, 2);
  EXPECT_THAT(err(), HasSubstr("the connection was lost, asking again: the daemon ends"));
  constexpr char kPlanned[] = R"("state": "PLANNED")";
  EXPECT_NE(out().find(kPlanned), std::string::npos) << out();
  EXPECT_EQ(out().find(kPlanned), out().rfind(kPlanned)) << "what was printed is not printed again";
  plans_.watches = {{{}, ends}};
  EXPECT_EQ(Run({"plan", "watch", "p1"}), 4) << "nothing has ever come";
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

TEST_F(RunPlanTest, DiffSaysWhatMattersAndNothingElse) {
  v1::Plan& left = plans_.plans["plans/a"];
  left.set_name("plans/a");
  left.set_etag("1");
  left.set_state(v1::Plan::PLANNED);
  left.mutable_create_time()->set_seconds(1000);
  v1::Recommendation& best = *left.mutable_estimate()->add_recommendations();
  best.set_gpu_count(64);
  best.mutable_start_time()->set_seconds(1001);
  best.mutable_finish_time()->set_seconds(2001);
  best.mutable_layout()->set_tensor_parallel(8);
  best.add_explanation("64 cards");
  left.mutable_estimate()->mutable_provenance()->add_clusters("clusters/main@1");
  v1::Plan& right = plans_.plans["plans/b"];
  right = left;
  right.set_name("plans/b");
  right.set_etag("2");
  right.mutable_create_time()->set_seconds(5000);
  right.mutable_estimate()->mutable_recommendations(0)->mutable_start_time()->set_seconds(5001);
  right.mutable_estimate()->mutable_recommendations(0)->mutable_finish_time()->set_seconds(6001);
  right.mutable_estimate()->mutable_provenance()->set_clusters(0, "clusters/main@2");
  EXPECT_EQ(Run({"plan", "diff", "a", "b"}), 0) << err();
  EXPECT_EQ(out(), "") << "both start at once";

  v1::Recommendation& other = *right.mutable_estimate()->mutable_recommendations(0);
  other.set_gpu_count(128);
  other.mutable_layout()->set_tensor_parallel(4);
  other.mutable_start_time()->set_seconds(5000 + 86400);
  other.mutable_finish_time()->set_seconds(6000 + 86400);
  right.set_state(v1::Plan::CONFIRMED);
  right.mutable_reservation()->set_gpu_count(128);
  right.mutable_reservation()->set_name("clusters/main/reservations/b");
  right.mutable_reservation()->mutable_start_time()->set_seconds(5000 + 86400);
  EXPECT_EQ(Run({"plan", "diff", "a", "b", "--no-headers"}), 0) << err();
  for (const char* line : {"\nestimate.recommendations[0].gpuCount", "64       128\n",
                           "estimate.recommendations[0].layout.tensorParallel", "1970-01-02T01:23:20Z\n",
                           "estimate.recommendations[0].finishTime", "reservation.gpuCount", "reservation.startTime"}) {
    EXPECT_THAT(out(), HasSubstr(line));
  }
  EXPECT_THAT(out(), StartsWith("state ")) << out();
  EXPECT_THAT(out(), Not(HasSubstr("etag")));
  EXPECT_THAT(out(), Not(HasSubstr("reservations/b")));
  EXPECT_EQ(Run({"plan", "diff", "a", "b", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out());
  std::map<std::string, std::pair<std::string, std::string>> differences;
  for (const auto& one : json["differences"]) differences[one["path"]] = {one["left"], one["right"]};
  EXPECT_EQ(differences["estimate.recommendations[0].gpuCount"], std::pair(std::string("64"), std::string("128")));
  EXPECT_EQ(differences["state"], std::pair(std::string("PLANNED"), std::string("CONFIRMED")));
}

}  // namespace
}  // namespace planner::plannerctl
