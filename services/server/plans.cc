#include "services/server/plans.h"

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr store::Kind kKind = store::Kind::kPlan;
constexpr int kPlansOfAPage = 100;

absl::StatusOr<v1::Plan> Parse(const store::Record& record) {
  v1::Plan plan;
  if (plan.ParseFromString(record.value)) return plan;
  return absl::DataLossError(fmt::format("plans/{}: the stored value cannot be read", record.name));
}

absl::StatusOr<v1::Plan> FromRecord(const store::Record& record) {
  ASSIGN_OR_RETURN(v1::Plan plan, Parse(record));
  plan.set_name("plans/" + record.name);
  plan.set_etag(record.etag);
  *plan.mutable_create_time() = convert::TimeToProto(record.create_time);
  *plan.mutable_update_time() = convert::TimeToProto(record.update_time);
  return plan;
}

}  // namespace

absl::StatusOr<v1::Plan> Plans::Create(const v1::CreatePlanRequest& request, absl::Time deadline,
                                       const base::Cancellation& cancelled) {
  RETURN_IF_ERROR(validate::Validate(request));
  if (!request.request_id().empty()) {
    const absl::StatusOr<store::Record> earlier = store_.GetByRequestId(kKind, request.request_id());
    if (earlier.ok()) return FromRecord(*earlier);
    if (!absl::IsNotFound(earlier.status())) return earlier.status();
  }
  absl::StatusOr<v1::EstimateResponse> estimate = estimator_.Estimate(request.plan().request(), deadline, cancelled);
  if (!estimate.ok()) {
    return base::DetailOf(estimate.status()).field.empty() ? estimate.status()
                                                           : base::AtField("plan.request", estimate.status());
  }
  v1::Plan plan;
  plan.set_state(estimate->recommendations().empty() ? v1::Plan::INFEASIBLE : v1::Plan::PLANNED);
  *plan.mutable_request() = request.plan().request();
  *plan.mutable_estimate() = *std::move(estimate);
  plan.set_description(request.plan().description());
  if (request.validate_only()) return plan;
  const std::string id =
      fmt::format("{}-{}", absl::FormatTime("%Y%m%d-%H%M%S", clock_.Now(), absl::UTCTimeZone()), ids_.Next());
  ASSIGN_OR_RETURN(const store::Record record,
                   store_.Create(kKind, id, plan.SerializeAsString(), request.request_id()));
  return FromRecord(record);
}

absl::StatusOr<v1::Plan> Plans::Get(const v1::GetPlanRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("name", request.name()));
  ASSIGN_OR_RETURN(const store::Record record, store_.Get(kKind, id));
  return FromRecord(record);
}

absl::StatusOr<v1::ListPlansResponse> Plans::List(const v1::ListPlansRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, validate::PageSize(request.page_size(), kPlansOfAPage));
  ASSIGN_OR_RETURN(const store::Page page,
                   store_.List(kKind, {store::Order::kNewestFirst, page_size, request.page_token()}));
  v1::ListPlansResponse response;
  for (const store::Record& record : page.records) {
    ASSIGN_OR_RETURN(v1::Plan plan, FromRecord(record));
    // Up to 4 MiB each: whoever wants one gets it with its plan.
    plan.mutable_request()->mutable_model()->clear_hugging_face_config();
    plan.mutable_request()->mutable_model()->clear_layer_graph();
    *response.add_plans() = std::move(plan);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::Plan> Plans::Move(const std::string& name, const std::string& etag, v1::Plan::State to,
                                     bool (*may_leave)(v1::Plan::State)) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("name", name));
  const auto change = [&](const store::Record& record) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(v1::Plan plan, Parse(record));
    if (!may_leave(plan.state())) {
      return absl::FailedPreconditionError(fmt::format("plan \"{}\" cannot become {}: state={}", record.name,
                                                       v1::Plan::State_Name(to), v1::Plan::State_Name(plan.state())));
    }
    plan.set_state(to);
    return plan.SerializeAsString();
  };
  ASSIGN_OR_RETURN(const store::Record record, store_.Update(kKind, id, etag, change));
  return FromRecord(record);
}

absl::StatusOr<v1::Plan> Plans::Confirm(const v1::ConfirmPlanRequest& request) {
  return Move(request.name(), request.etag(), v1::Plan::CONFIRMED,
              [](v1::Plan::State state) { return state == v1::Plan::PLANNED; });
}

absl::StatusOr<v1::Plan> Plans::Cancel(const v1::CancelPlanRequest& request) {
  return Move(request.name(), request.etag(), v1::Plan::CANCELLED,
              [](v1::Plan::State state) { return state == v1::Plan::PLANNED || state == v1::Plan::CONFIRMED; });
}

absl::Status Plans::Delete(const v1::DeletePlanRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("name", request.name()));
  return store_.Delete(kKind, id, "");
}

}  // namespace planner::server
