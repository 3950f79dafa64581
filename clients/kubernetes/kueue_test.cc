#include "clients/kubernetes/kueue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

const absl::Time kNow = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01T00:00:00Z.

json Workload() {
  return json::parse(R"({
    "apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "Workload",
    "metadata": {"name": "job-train-4f3a", "namespace": "research", "resourceVersion": "812"},
    "spec": {"active": true, "queueName": "research",
             "podSets": [{"name": "main", "count": 4, "template": {"spec": {"containers": [
                {"name": "sidecar"},
                {"name": "train", "env": [{"name": "A", "value": "b"}, {"name": "PLANNER_PLAN", "value": "plans/p1"}]}]}}}]},
    "status": {"conditions": [{"type": "QuotaReserved", "status": "True", "lastTransitionTime": "2025-12-31T23:59:00Z"}],
               "admissionChecks": [{"name": "other", "state": "Pending", "message": "", "lastTransitionTime": "2025-12-31T23:59:00Z"},
                                   {"name": "gpus", "state": "Pending", "message": "", "lastTransitionTime": "2025-12-31T23:59:00Z"}]}})");
}

TEST(KueueTest, ReadsWhoWaits) {
  const auto training = ReadQueuedTraining(Workload(), {"gpus"});
  ASSERT_TRUE(training.ok() && training->has_value()) << training.status();
  EXPECT_EQ((*training)->name, "job-train-4f3a");
  EXPECT_EQ((*training)->name_space, "research");
  EXPECT_EQ((*training)->plan, "plans/p1");
  EXPECT_EQ((*training)->quota_time, kNow - absl::Minutes(1));
  ASSERT_EQ((*training)->checks.size(), 1u);
  EXPECT_EQ((*training)->checks[0].name, "gpus");
  EXPECT_EQ(StatusPath(**training), "/apis/kueue.x-k8s.io/v1beta1/namespaces/research/workloads/job-train-4f3a/status");
}

TEST(KueueTest, ReadsWhosePlanItIs) {
  json workload = Workload();
  ASSERT_TRUE(ReadPlannedWorkload(workload, {"gpus"}).has_value());
  EXPECT_EQ(ReadPlannedWorkload(workload, {"gpus"})->plan, "plans/p1");
  EXPECT_FALSE(ReadPlannedWorkload(workload, {"gpus"})->is_over);
  EXPECT_FALSE(ReadPlannedWorkload(workload, {"a third"}).has_value());
  workload["status"]["conditions"] = {{{"type", "Finished"}, {"status", "True"}}};
  EXPECT_TRUE(ReadPlannedWorkload(workload, {"gpus"})->is_over);
  workload["spec"]["podSets"][0]["template"]["spec"]["containers"][1].erase("env");
  EXPECT_FALSE(ReadPlannedWorkload(workload, {"gpus"}).has_value());
  for (const char* odd : {"{}", "[]", "null", R"({"status": 7})", R"({"status": {"conditions": {}, "admissionChecks": [7, null]}})"}) {
    EXPECT_FALSE(ReadPlannedWorkload(json::parse(odd), {"gpus"}).has_value()) << odd;
  }
}

TEST(KueueTest, NobodyElseDoes) {
  const auto waits = [](const json& workload) { return ReadQueuedTraining(workload, {"gpus"})->has_value(); };
  EXPECT_TRUE(waits(Workload()));
  json workload = Workload();
  workload["status"]["conditions"][0]["status"] = "False";
  EXPECT_FALSE(waits(workload)) << "without a quota";
  workload = Workload();
  workload["status"]["conditions"].push_back({{"type", "Finished"}, {"status", "True"}});
  EXPECT_FALSE(waits(workload));
  workload = Workload();
  workload["spec"]["active"] = false;
  EXPECT_FALSE(waits(workload));
  workload = Workload();
  workload["status"]["admissionChecks"][1]["state"] = "Ready";
  EXPECT_FALSE(waits(workload));
  EXPECT_FALSE(ReadQueuedTraining(Workload(), {"a third"})->has_value());
  for (const char* odd : {"{}", "[]", "null", R"({"status": 7})", R"({"status": {"conditions": {}, "admissionChecks": "x"}})"}) {
    EXPECT_FALSE(waits(json::parse(odd))) << odd;
  }
}

TEST(KueueTest, WhatIsNoNameGetsIntoNoPath) {
  for (const char* name : {"", "../nodes", "a/b", "A", "a?b", "a%2fb"}) {
    json workload = Workload();
    workload["metadata"]["name"] = name;
    const auto training = ReadQueuedTraining(workload, {"gpus"});
    EXPECT_TRUE(absl::IsInvalidArgument(training.status())) << name;
    EXPECT_EQ(base::DetailOf(training.status()).field, "metadata.name");
  }
}

TEST(KueueTest, AnAnswerIsOfOnesOwnChecksAndOfThatVersion) {
  const auto training = ReadQueuedTraining(Workload(), {"gpus"});
  const auto status = AnsweredStatus(**training, "Ready", "holds 32 GPUs", kNow);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(*status, json::parse(R"({
    "apiVersion": "kueue.x-k8s.io/v1beta1", "kind": "Workload",
    "metadata": {"name": "job-train-4f3a", "namespace": "research", "resourceVersion": "812"},
    "status": {"admissionChecks": [{"name": "gpus", "state": "Ready", "message": "holds 32 GPUs", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})"));
}

TEST(KueueTest, NothingIsWrittenTwice) {
  json workload = Workload();
  workload["status"]["admissionChecks"][1]["message"] = "not before noon";
  const auto training = ReadQueuedTraining(workload, {"gpus"});
  EXPECT_FALSE(AnsweredStatus(**training, "Pending", "not before noon", kNow).has_value());
  // Another message in the same state is no transition.
  const auto status = AnsweredStatus(**training, "Pending", "not before evening", kNow);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ((*status)["status"]["admissionChecks"][0]["lastTransitionTime"], "2025-12-31T23:59:00Z");
}

TEST(KueueTest, WhatOneHasSaidBeforeStays) {
  json workload = Workload();
  workload["status"]["admissionChecks"][0]["state"] = "Ready";
  workload["status"]["admissionChecks"][0]["message"] = "as it was";
  const auto status = AnsweredStatus(**ReadQueuedTraining(workload, {"gpus", "other"}), "Rejected", "too late", kNow);
  ASSERT_TRUE(status.has_value());
  const json& checks = (*status)["status"]["admissionChecks"];
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0]["message"], "as it was");
  EXPECT_EQ(checks[1]["state"], "Rejected");
}

TEST(KueueTest, ChecksAreOfTheirController) {
  json check = {{"metadata", {{"name", "gpus"}}}, {"spec", {{"controllerName", "planner.io/plan"}}}};
  ASSERT_TRUE(ReadAdmissionCheck(check, "planner.io/plan")->has_value());
  EXPECT_FALSE((*ReadAdmissionCheck(check, "planner.io/plan"))->is_active);
  EXPECT_FALSE(ReadAdmissionCheck(check, "kueue.x-k8s.io/multikueue")->has_value());
  // What is written is what is read.
  check["status"] = ActiveStatus({.name = "gpus"}, kNow)["status"];
  EXPECT_TRUE((*ReadAdmissionCheck(check, "planner.io/plan"))->is_active);
  EXPECT_EQ(StatusPath(AdmissionCheck{.name = "gpus"}), "/apis/kueue.x-k8s.io/v1beta1/admissionchecks/gpus/status");
}

}  // namespace
}  // namespace planner::kubernetes
