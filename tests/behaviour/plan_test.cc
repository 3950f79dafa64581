#include <gmock/gmock.h>

#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::Property;
using Service = v1::PlanService::Stub;

constexpr char kPlan[] =
    "plan { description: 'mine' request { model { preset: 'llama-7b' } data_set { token_count: 1e12 }"
    "  resources { gpu_types: 'h100' min_gpus: 64 max_gpus: 64 } } } ";
constexpr char kInfeasiblePlan[] =
    "plan { request { model { preset: 'llama-3.1-405b' } data_set { token_count: 1e12 }"
    "  resources { gpu_types: 'h100' min_gpus: 8 max_gpus: 8 } } } ";

class PlanBehaviour : public PlannerTest {
 protected:
  static std::string Named(const v1::Plan& plan) { return "name: '" + plan.name() + "' "; }
};

TEST_P(PlanBehaviour, IsAnEstimateThatIsKept) {
  const v1::Plan plan = Ask(&Service::CreatePlan, kPlan);
  EXPECT_THAT(plan.name(), MatchesRegex("plans/[0-9]{8}-[0-9]{6}-[0-9a-f]{8}"));
  EXPECT_EQ(plan.state(), v1::Plan::PLANNED);
  EXPECT_EQ(plan.description(), "mine");
  EXPECT_EQ(plan.request().model().preset(), "llama-7b");
  EXPECT_FALSE(plan.estimate().recommendations().empty());
  EXPECT_EQ(Ask(&Service::GetPlan, Named(plan)).SerializeAsString(), plan.SerializeAsString());
}

TEST_P(PlanBehaviour, AnInfeasibleOneIsKeptToo) {
  const v1::Plan plan = Ask(&Service::CreatePlan, kInfeasiblePlan);
  EXPECT_EQ(plan.state(), v1::Plan::INFEASIBLE);
  EXPECT_FALSE(plan.estimate().infeasible_reasons().empty());
  EXPECT_EQ(Fail(&Service::ConfirmPlan, Named(plan)).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_P(PlanBehaviour, ARequestIdMakesOnePlan) {
  const v1::Plan first = Ask(&Service::CreatePlan, std::string(kPlan) + "request_id: 'r1'");
  EXPECT_EQ(Ask(&Service::CreatePlan, std::string(kPlan) + "request_id: 'r1'").name(), first.name());
  EXPECT_NE(Ask(&Service::CreatePlan, std::string(kPlan) + "request_id: 'r2'").name(), first.name());
  EXPECT_EQ(Ask(&Service::ListPlans, "").plans_size(), 2);
}

TEST_P(PlanBehaviour, ValidateOnlyStoresNothing) {
  const v1::Plan plan = Ask(&Service::CreatePlan, std::string(kPlan) + "validate_only: true");
  EXPECT_EQ(plan.name(), "");
  EXPECT_FALSE(plan.estimate().recommendations().empty());
  EXPECT_TRUE(Ask(&Service::ListPlans, "").plans().empty());
}

TEST_P(PlanBehaviour, LivesFromPlannedToCancelled) {
  const v1::Plan planned = Ask(&Service::CreatePlan, kPlan);
  const v1::Plan confirmed = Ask(&Service::ConfirmPlan, Named(planned) + "etag: '" + planned.etag() + "'");
  EXPECT_EQ(confirmed.state(), v1::Plan::CONFIRMED);
  EXPECT_NE(confirmed.etag(), planned.etag());
  EXPECT_EQ(Fail(&Service::ConfirmPlan, Named(planned)).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Fail(&Service::CancelPlan, Named(planned) + "etag: '" + planned.etag() + "'").error_code(),
            grpc::StatusCode::ABORTED);
  EXPECT_EQ(Ask(&Service::CancelPlan, Named(planned)).state(), v1::Plan::CANCELLED);
  EXPECT_EQ(Fail(&Service::CancelPlan, Named(planned)).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  Ask(&Service::DeletePlan, Named(planned));
  EXPECT_EQ(Fail(&Service::GetPlan, Named(planned)).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Fail(&Service::DeletePlan, Named(planned)).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(PlanBehaviour, ListsAreNewestFirst) {
  const v1::Plan first = Ask(&Service::CreatePlan, kPlan);
  const v1::Plan second = Ask(&Service::CreatePlan, kPlan);
  const v1::Plan third = Ask(&Service::CreatePlan, kPlan);
  const auto page = Ask(&Service::ListPlans, "page_size: 2");
  EXPECT_THAT(page.plans(),
              ElementsAre(Property(&v1::Plan::name, third.name()), Property(&v1::Plan::name, second.name())));
  const auto rest = Ask(&Service::ListPlans, "page_size: 2 page_token: '" + page.next_page_token() + "'");
  EXPECT_THAT(rest.plans(), ElementsAre(Property(&v1::Plan::name, first.name())));
  EXPECT_EQ(rest.next_page_token(), "");
}

TEST_P(PlanBehaviour, BadInputNamesItsFieldAndStoresNothing) {
  EXPECT_EQ(FieldOf(Fail(&Service::CreatePlan, "")), "plan");
  EXPECT_EQ(
      FieldOf(Fail(&Service::CreatePlan, "plan { request { model { preset: 'gpt2' } data_set { epoch_count: -1 } } }")),
      "plan.request.data_set.epoch_count");
  const grpc::Status unknown = Fail(&Service::CreatePlan, "plan { request { model { preset: 'nope' } } }");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(), ::testing::StartsWith("plan.request.model.preset: "));
  EXPECT_EQ(FieldOf(Fail(&Service::GetPlan, "name: 'plans/../x'")), "name");
  EXPECT_EQ(FieldOf(Fail(&Service::GetPlan, "")), "name");
  EXPECT_TRUE(Ask(&Service::ListPlans, "").plans().empty());
}

TEST_P(PlanBehaviour, OutlivesTheProcess) {
  const v1::Plan plan = Ask(&Service::CreatePlan, std::string(kPlan) + "request_id: 'r1'");
  Restart();
  EXPECT_EQ(Ask(&Service::GetPlan, Named(plan)).SerializeAsString(), plan.SerializeAsString());
  EXPECT_EQ(Ask(&Service::CreatePlan, std::string(kPlan) + "request_id: 'r1'").name(), plan.name());
}

TEST_P(PlanBehaviour, ListsLeaveInlineModelsOut) {
  v1::CreatePlanRequest request = Parse<v1::CreatePlanRequest>(kPlan);
  const auto model = Ask(&v1::EstimationService::Stub::GetModel, "name: 'llama-7b'");
  request.mutable_plan()->mutable_request()->mutable_model()->set_hugging_face_config(model.source_text());
  v1::Plan plan;
  ASSERT_TRUE(Call(&Service::CreatePlan, request, plan).ok());
  EXPECT_FALSE(Ask(&Service::ListPlans, "").plans(0).request().model().has_hugging_face_config());
  EXPECT_EQ(Ask(&Service::GetPlan, Named(plan)).request().model().hugging_face_config(), model.source_text());
}

INSTANTIATE_TEST_SUITE_P(Places, PlanBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
