#include "clients/kubernetes/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/escaping.h"
#include "core/base/error.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Recorded(const std::string& name) {
  std::stringstream text;
  text << std::ifstream(std::string(RECORDED_FOLDER) + "/" + name).rdbuf();
  return text.str();
}

/// What kubectl would make of a patch (RFC 6902).
json Patched(const std::string& review, const json& response) {
  const json object = json::parse(review)["request"]["object"];
  if (!response.contains("patch")) return object;
  EXPECT_EQ(response["patchType"], "JSONPatch");
  std::string text;
  EXPECT_TRUE(absl::Base64Unescape(response["patch"].get<std::string>(), &text));
  return object.patch(json::parse(text));
}

class AdmissionTest : public ::testing::Test {
 protected:
  /// The response to a review.
  json Ask(const std::string& review) {
    const HttpResponse http = Admit(review, options_);
    EXPECT_EQ(http.code, 200) << http.body;
    const json body = json::parse(http.body);
    EXPECT_EQ(body["kind"], "AdmissionReview");
    EXPECT_EQ(body["apiVersion"], "admission.k8s.io/v1");
    return body["response"];
  }

  jobs::Decision decision_;
  std::vector<AdmissionRequest> asked_;
  std::vector<std::string> unreadable_;
  AdmissionOptions options_ = {.decide =
                                   [this](const AdmissionRequest& request) {
                                     asked_.push_back(request);
                                     return decision_;
                                   },
                               .decide_unreadable =
                                   [this](const absl::Status& status, const std::string& name_space) {
                                     unreadable_.push_back(name_space + ": " + std::string(status.message()));
                                     return decision_;
                                   },
                               .server_for_pods = ""};
};

TEST_F(AdmissionTest, APyTorchJobWithoutARunPolicyGetsOneForItsTimeLimit) {
  decision_ = {.action = jobs::Action::kAccept, .plan = "plans/p1", .time_limit_minutes = 90};
  json review = json::parse(Recorded("pytorchjob.json"));
  review["request"]["object"]["spec"].erase("runPolicy");
  const std::string text = review.dump();
  EXPECT_EQ(Patched(text, Ask(text))["spec"]["runPolicy"], (json{{"activeDeadlineSeconds", 5400}}));
}

TEST_F(AdmissionTest, APlannedJobIsAllowedWithItsPlan) {
  decision_ = {.action = jobs::Action::kAccept,
               .plan = "plans/p1",
               .time_limit_minutes = 90,
               .messages = {"llama-3-8b takes 1 hour"}};
  options_.server_for_pods = "plannerd.planner:7070";
  const std::string review = Recorded("job.json");
  const json response = Ask(review);
  EXPECT_EQ(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
  EXPECT_EQ(response["allowed"], true);
  EXPECT_THAT(response["warnings"], ElementsAre("planner: llama-3-8b takes 1 hour"));
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_EQ(asked_[0].workload.gpus(), 32);
  EXPECT_EQ(asked_[0].workload.gpu_product(), "NVIDIA-H100-80GB-HBM3");
  EXPECT_EQ(asked_[0].user, "ada@example.org");
  EXPECT_FALSE(asked_[0].is_dry_run);
  const json job = Patched(review, response);
  EXPECT_EQ(job["metadata"]["annotations"]["planner.io/plan"], "plans/p1");
  EXPECT_EQ(job["spec"]["activeDeadlineSeconds"], 5400);
  // Behind what it had; a container without an environment gets one.
  const json& containers = job["spec"]["template"]["spec"]["containers"];
  EXPECT_EQ(containers[0]["env"].size(), 4u);
  EXPECT_EQ(containers[0]["env"][2], (json{{"name", "PLANNER_PLAN"}, {"value", "plans/p1"}}));
  EXPECT_EQ(containers[1]["env"][1], (json{{"name", "PLANNER_SERVER"}, {"value", "plannerd.planner:7070"}}));
}

TEST_F(AdmissionTest, EveryKindOfReplicaGetsThePlan) {
  decision_ = {.action = jobs::Action::kAccept, .plan = "plans/p2"};
  const std::string review = Recorded("pytorchjob.json");
  const json job = Patched(review, Ask(review));
  EXPECT_EQ(asked_.at(0).workload.gpus(), 64);
  EXPECT_EQ(asked_.at(0).workload.time_limit, absl::Hours(24));
  for (const char* role : {"Master", "Worker"}) {
    EXPECT_EQ(job["spec"]["pytorchReplicaSpecs"][role]["template"]["spec"]["containers"][0]["env"][0]["value"],
              "plans/p2")
        << role;
  }
  EXPECT_EQ(job["spec"]["runPolicy"]["activeDeadlineSeconds"], 86400) << "nobody decided to change it";
}

TEST_F(AdmissionTest, ADryRunIsToldToBeOne) {
  decision_ = {.action = jobs::Action::kAccept, .messages = {"fits"}};
  const std::string review = Recorded("jobset.json");
  const json response = Ask(review);
  EXPECT_TRUE(asked_.at(0).is_dry_run);
  EXPECT_EQ(asked_.at(0).workload.gpus(), 64);
  EXPECT_FALSE(response.contains("patch")) << "there is no plan";
  EXPECT_EQ(Patched(review, response), json::parse(review)["request"]["object"]);
}

TEST_F(AdmissionTest, ARefusalHasAReasonThatAPersonUnderstands) {
  decision_ = {.action = jobs::Action::kRefuse, .reason = "would finish in 9 days, the limit is 7 days"};
  const json response = Ask(Recorded("job.json"));
  EXPECT_EQ(response["allowed"], false);
  EXPECT_EQ(response["status"]["code"], 403);
  EXPECT_EQ(response["status"]["message"], "planner: would finish in 9 days, the limit is 7 days");
  EXPECT_FALSE(response.contains("patch"));
  decision_ = {.action = jobs::Action::kRefuse,
               .messages = {"the planner does not answer; try again later"},
               .reason = "Deadline Exceeded"};
  EXPECT_EQ(Ask(Recorded("job.json"))["status"]["message"], "planner: the planner does not answer; try again later");
}

TEST_F(AdmissionTest, WhatTheContainerSaysItselfStays) {
  decision_ = {.action = jobs::Action::kAccept, .plan = "plans/p1"};
  json review = json::parse(Recorded("job.json"));
  review["request"]["object"]["spec"]["template"]["spec"]["containers"][0]["env"] = {
      {{"name", "PLANNER_PLAN"}, {"value", "plans/mine"}}};
  const json job = Patched(review.dump(), Ask(review.dump()));
  EXPECT_EQ(job["spec"]["template"]["spec"]["containers"][0]["env"].size(), 1u);
  EXPECT_EQ(job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"], "plans/mine");
}

TEST_F(AdmissionTest, WhatDoesNotConcernThePlannerIsAllowedUnread) {
  json review = json::parse(Recorded("job.json"));
  review["request"]["operation"] = "UPDATE";
  EXPECT_EQ(Ask(review.dump())["allowed"], true);
  review["request"]["operation"] = "CREATE";
  review["request"]["object"]["metadata"].erase("annotations");
  EXPECT_EQ(Ask(review.dump()), (json{{"uid", "705ab4f5-6393-11e8-b7cc-42010a800002"}, {"allowed", true}}));
  review["request"]["object"] = {{"kind", "Pod"}, {"apiVersion", "v1"}};
  EXPECT_EQ(Ask(review.dump())["allowed"], true);
  review["request"].erase("object");
  EXPECT_EQ(Ask(review.dump())["allowed"], true);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(AdmissionTest, WhatCannotBeReadIsItsUsersError) {
  json review = json::parse(Recorded("job.json"));
  review["request"]["object"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] =
      "1500m";
  decision_ = {.messages = {"not planned"}};
  EXPECT_THAT(Ask(review.dump())["warnings"], ElementsAre("planner: not planned"));
  EXPECT_THAT(
      unreadable_,
      ElementsAre("research: spec.template.spec.containers[0].resources.limits.nvidia.com/gpu: is no number of GPUs: "
                  "value=\"1500m\""));
}

TEST_F(AdmissionTest, LongMessagesAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "é";
  decision_.messages = {text};
  const std::string warning = Ask(Recorded("job.json"))["warnings"][0];
  EXPECT_LE(warning.size(), 250u);
  EXPECT_TRUE(warning.ends_with("é…")) << warning;
}

TEST_F(AdmissionTest, AnythingElseIsNoReview) {
  for (const char* body :
       {"", "{", "[]", "null", "{}", R"({"kind": "AdmissionReview"})",
        R"({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"})",
        R"({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"})",
        R"({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": []})",
        R"({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": 7}})"}) {
    EXPECT_EQ(Admit(body, options_).code, 400) << body;
  }
  EXPECT_EQ(Admit(std::string(100'000, '['), options_).code, 400);
}

}  // namespace
}  // namespace planner::kubernetes
