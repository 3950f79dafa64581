#include "clients/jobs/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace planner::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kHour = 3600;

/// A planner that answers by the number of GPUs that it is asked for at most.
class FakePlanner {
 public:
  PlannerCalls calls() {
    return {.estimate = [this](const v1::EstimateRequest& request) -> absl::StatusOr<v1::EstimateResponse> {
              asked.push_back(request);
              if (!status.ok()) return status;
              return Answer(request);
            },
            .create_plan = [this](const v1::EstimateRequest& request,
                                  const std::string& description) -> absl::StatusOr<v1::Plan> {
              asked.push_back(request);
              if (!status.ok()) return status;
              descriptions.push_back(description);
              v1::Plan plan;
              plan.set_name("plans/p" + std::to_string(descriptions.size()));
              planned[plan.name()] = request;
              *plan.mutable_estimate() = Answer(request);
              return plan;
            },
            .delete_plan = [this](const std::string& name) { planned.erase(name); },
            .get_plan = [this](const std::string& name) -> absl::StatusOr<v1::Plan> {
              if (!status.ok()) return status;
              if (name != "plans/old") return absl::NotFoundError("name: there is no such plan");
              v1::Plan plan;
              plan.set_name(name);
              *plan.mutable_estimate()->add_recommendations() = Best(8);
              return plan;
            },
            .build_request = [](const JobWords& words) -> absl::StatusOr<v1::EstimateRequest> {
              v1::EstimateRequest request;
              request.mutable_model()->set_preset(words.at("model"));
              return request;
            }};
  }

  v1::Recommendation Best(int64_t gpus) const {
    v1::Recommendation best;
    best.set_gpu_type("A100-SXM-80GB");
    best.set_gpu_count(gpus);
    best.mutable_total_duration()->set_seconds(gpu_hours * kHour / gpus);
    best.mutable_total_duration_low()->set_seconds(gpu_hours * kHour / gpus * 9 / 10);
    best.mutable_total_duration_high()->set_seconds(gpu_hours * kHour / gpus * 12 / 10);
    return best;
  }

  v1::EstimateResponse Answer(const v1::EstimateRequest& request) const {
    v1::EstimateResponse response;
    int64_t gpus = request.resources().min_gpus();
    if (request.resources().max_gpus() >= smallest) gpus = std::max(gpus, smallest);
    const auto deadline = request.resources().deadline_duration().seconds();
    if (deadline > 0) gpus = std::max(gpus, (gpu_hours * kHour + deadline - 1) / deadline);
    if (gpus < smallest || gpus > request.resources().max_gpus()) {
      response.add_infeasible_reasons("A100-SXM-80GB: needs 120 GiB of 80 GiB");
    } else {
      *response.add_recommendations() = Best(gpus);
    }
    return response;
  }

  int64_t smallest = 1;  ///< GPUs that hold the model.
  int64_t gpu_hours = 80;
  absl::Status status;
  std::vector<v1::EstimateRequest> asked;
  std::map<std::string, v1::EstimateRequest> planned;  ///< By name; those that are kept.
  std::vector<std::string> descriptions;
};

class DecisionTest : public ::testing::Test {
 protected:
  DecisionTest() {
    policy_.gpu_types = {{"a100", "A100-SXM-80GB"}};
    policy_.other = {.mode = Mode::kEnforce, .time = TimeChange::kCap, .change_count = false};
    job_.partition = "gpu";
    job_.gpus = GpuRequest{.scope = GpuScope::kNode, .type = "a100", .count = 8};
    job_.words = {{"model", "llama-3-8b"}, {"tokens", "1B"}};
  }
  Decision Decide() { return jobs::Decide(policy_, job_, planner_.calls()); }

  Policy policy_;
  Job job_;
  FakePlanner planner_;
};

TEST_F(DecisionTest, FillsTheTimeLimitFromTheUpperEndOfThePlan) {
  const Decision decision = Decide();
  EXPECT_EQ(decision.action, Action::kAccept);
  EXPECT_EQ(decision.plan, "plans/p1");
  EXPECT_TRUE(planner_.planned.contains("plans/p1"));
  EXPECT_EQ(decision.time_limit_minutes, 792) << "80 h / 8 GPUs x 1.2 x 1.1";
  EXPECT_FALSE(decision.gpus.has_value());
  EXPECT_THAT(decision.messages, ElementsAre("llama-3-8b on 8 A100-SXM-80GB GPUs takes 10 hours (9 hours to 12 hours)",
                                             "time limit set to 13:12:00"));
  ASSERT_EQ(planner_.asked.size(), 1U);
  EXPECT_EQ(planner_.asked[0].resources().min_gpus(), 8);
  EXPECT_EQ(planner_.asked[0].resources().max_gpus(), 8);
  EXPECT_EQ(planner_.asked[0].resources().gpu_types(0), "A100-SXM-80GB");
}

TEST_F(DecisionTest, CapsOnlyWhereAllowedAndNeverRaises) {
  job_.time_limit = absl::Hours(100);
  EXPECT_EQ(Decide().time_limit_minutes, 792);
  policy_.other.time = TimeChange::kFill;
  EXPECT_FALSE(Decide().time_limit_minutes.has_value());
  policy_.other.time = TimeChange::kCap;
  job_.time_limit = absl::Hours(11);
  EXPECT_FALSE(Decide().time_limit_minutes.has_value());
  EXPECT_THAT(Decide().messages[1], HasSubstr("may take up to 12 hours, its time limit is 11 hours"));
}

TEST_F(DecisionTest, RefusesWhatDoesNotFitOrTakesTooLong) {
  planner_.smallest = 16;
  Decision decision = Decide();
  EXPECT_EQ(decision.action, Action::kRefuse);
  EXPECT_THAT(decision.messages, ElementsAre(HasSubstr("needs 120 GiB of 80 GiB")));
  EXPECT_THAT(planner_.planned, IsEmpty());
  planner_.smallest = 1;
  planner_.gpu_hours = 9 * 24 * 8;
  policy_.other.max_time = absl::Hours(7 * 24);
  decision = Decide();
  EXPECT_EQ(decision.action, Action::kRefuse);
  EXPECT_THAT(decision.messages, ElementsAre("would finish in 9 days, the limit is 7 days"));
  job_.words["resume"] = "true";
  EXPECT_EQ(Decide().action, Action::kAccept) << "it goes on from its checkpoint";
  EXPECT_EQ(Decide().time_limit_minutes, 7 * 24 * 60);
}

TEST_F(DecisionTest, AdvisesAndAmendsWithoutRefusing) {
  planner_.gpu_hours = 9 * 24 * 8;
  job_.partition_time_limit = absl::Hours(7 * 24);
  for (const Mode mode : {Mode::kAdvise, Mode::kAmend}) {
    policy_.other.mode = mode;
    const Decision decision = Decide();
    EXPECT_EQ(decision.action, Action::kAccept);
    EXPECT_FALSE(decision.time_limit_minutes.has_value());
    EXPECT_THAT(decision.messages, ::testing::Contains(HasSubstr("would finish in 9 days, the limit is 7 days")));
  }
}

TEST_F(DecisionTest, TakesMoreGpusWhereTheSiteAllowsIt) {
  policy_.other.change_count = true;
  planner_.smallest = 16;
  Decision decision = Decide();
  EXPECT_EQ(decision.action, Action::kAccept);
  ASSERT_TRUE(decision.gpus.has_value());
  EXPECT_EQ(decision.gpus->count, 8);
  EXPECT_EQ(decision.nodes, 2);
  EXPECT_THAT(decision.messages, ::testing::Contains(HasSubstr("changed from 8 to 16 a100 GPUs")));
  ASSERT_EQ(planner_.planned.size(), 1U);
  EXPECT_EQ(planner_.planned.at(decision.plan).resources().max_gpus(), 16) << "the plan is of what was chosen";
  policy_.other.max_gpus = 12;
  EXPECT_EQ(Decide().action, Action::kRefuse);
}

TEST_F(DecisionTest, WhoSpeaksToThePlannerIsToldWhyHeIsNotPlanned) {
  Job job = job_;
  job.gpus.reset();
  EXPECT_THAT(jobs::Decide(policy_, job, planner_.calls()).messages, ElementsAre("not planned: the job asks for no GPUs"));
  job.words.clear();
  EXPECT_THAT(jobs::Decide(policy_, job, planner_.calls()).messages, IsEmpty());
  job_.words = {{"modle", "llama-3-8b"}};
  EXPECT_THAT(Decide().messages, ElementsAre("not planned: the job names no model"));
  EXPECT_EQ(Decide().action, Action::kLeave);
}

TEST_F(DecisionTest, WhatIsNotThePlannersIsLeftWithoutAsking) {
  for (const auto& change : std::vector<std::function<void(Job&, Policy&)>>{
           [](Job&job, Policy&) { job.gpus.reset(); }, [](Job&job, Policy&) { job.words.clear(); },
           [](Job&job, Policy&) {
             job.words = {{"tokens", "1B"}};
           },
           [](Job&, Policy&policy) { policy.other.mode = Mode::kOff; }}) {
    Job job = job_;
    Policy policy = policy_;
    change(job, policy);
    EXPECT_EQ(jobs::Decide(policy, job, planner_.calls()).action, Action::kLeave);
  }
  EXPECT_THAT(planner_.asked, IsEmpty());
}

TEST_F(DecisionTest, AFixedJobIsPlannedAndNotTouched) {
  job_.words["fixed"] = "true";
  planner_.smallest = 16;
  const Decision decision = Decide();
  EXPECT_EQ(decision.action, Action::kAccept);
  EXPECT_FALSE(decision.time_limit_minutes.has_value());
  EXPECT_FALSE(decision.gpus.has_value());
}

TEST_F(DecisionTest, APlanThatWasMadeBeforeIsTaken) {
  job_.words = {{"plan", "old"}};
  const Decision decision = Decide();
  EXPECT_EQ(decision.plan, "plans/old");
  EXPECT_EQ(decision.time_limit_minutes, 792);
  EXPECT_THAT(planner_.asked, IsEmpty());
  job_.words = {{"plan", "plans/unknown"}};
  EXPECT_EQ(Decide().action, Action::kRefuse);
}

TEST_F(DecisionTest, WithoutAnAnswerThePolicyDecides) {
  for (const absl::Status& status :
       {absl::UnavailableError("away"), absl::DeadlineExceededError("slow"), absl::InternalError("broken")}) {
    planner_.status = status;
    policy_.other.on_failure = OnFailure::kOpen;
    EXPECT_EQ(Decide().action, Action::kLeave);
    EXPECT_TRUE(Decide().has_failed);
    policy_.other.on_failure = OnFailure::kClosed;
    EXPECT_EQ(Decide().action, Action::kRefuse);
    EXPECT_TRUE(Decide().has_failed);
    job_.is_advice = true;
    EXPECT_EQ(Decide().action, Action::kLeave) << "advice refuses nobody";
    job_.is_advice = false;
  }
}

TEST_F(DecisionTest, AUsersMistakeIsSaidAndRefusedOnlyWhereEnforced) {
  planner_.status = absl::InvalidArgumentError("--tokens: must be above 0");
  EXPECT_EQ(Decide().action, Action::kRefuse);
  policy_.other.mode = Mode::kAmend;
  EXPECT_EQ(Decide().action, Action::kLeave);
  EXPECT_THAT(Decide().messages, ElementsAre("not planned: tokens: must be above 0"));
  EXPECT_FALSE(Decide().has_failed);
  const Decision unreadable =
      jobs::Decide(policy_, absl::InvalidArgumentError("comment: has a word twice"), "gpu", planner_.calls());
  EXPECT_EQ(unreadable.action, Action::kLeave);
}

TEST_F(DecisionTest, AdviceKeepsNothing) {
  job_.is_advice = true;
  const Decision decision = Decide();
  EXPECT_EQ(decision.plan, "");
  EXPECT_THAT(planner_.planned, IsEmpty());
  EXPECT_THAT(decision.messages, ::testing::Contains("a time limit of 13:12:00 would be enough"));
}

TEST_F(DecisionTest, SpeaksAsItsSchedulersUsersDo) {
  job_.wording = {.job = "training",
                  .place = "namespace",
                  .word_prefix = "planner.io/",
                  .ask_for_gpu_type = "select one",
                  .time_limit = "seconds",
                  .time_option = "seconds: ",
                  .time_text = [](int64_t minutes) { return std::to_string(minutes * 60); }};
  EXPECT_THAT(Decide().messages, ::testing::Contains("seconds set to 47520"));
  EXPECT_THAT(planner_.descriptions.back(), ::testing::StartsWith("training "));
  policy_.other.mode = Mode::kAdvise;
  EXPECT_THAT(Decide().messages, ::testing::Contains("seconds: 47520 would be enough"));
  // What cannot be set is neither set nor recommended.
  job_.takes_time_limit = false;
  for (const Mode mode : {Mode::kAdvise, Mode::kAmend}) {
    policy_.other.mode = mode;
    const Decision decision = Decide();
    EXPECT_FALSE(decision.time_limit_minutes.has_value());
    EXPECT_THAT(decision.messages, ::testing::Each(::testing::Not(HasSubstr("seconds"))));
  }
  policy_.other.on_failure = OnFailure::kClosed;
  planner_.status = absl::UnavailableError("away");
  EXPECT_THAT(Decide().messages, ElementsAre(HasSubstr("this namespace takes no job")));
  planner_.status = absl::NotFoundError("--tokens: x");
  EXPECT_THAT(Decide().messages, ElementsAre("not planned: planner.io/tokens: x"));
  job_.gpus->type = "";
  policy_.default_gpu_type = "";
  planner_.status = absl::OkStatus();
  EXPECT_THAT(Decide().messages, ElementsAre(HasSubstr("the site has no default: select one")));
}

}  // namespace
}  // namespace planner::jobs
