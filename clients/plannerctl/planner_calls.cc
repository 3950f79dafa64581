#include "clients/plannerctl/planner_calls.h"

#include <utility>

#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/job_request.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"

namespace planner::plannerctl {

jobs::PlannerCalls CallsOf(cpp::Client& client, absl::Time end, const std::vector<std::string>& model_folders,
                           PlanCreation creation) {
  return {
      .estimate = [&client, end](const v1::EstimateRequest& request) -> absl::StatusOr<v1::EstimateResponse> {
        auto estimate = client.CallBy(end, &v1::EstimationService::Stub::Estimate, request);
        if (!estimate.ok()) return NameFlags(estimate.status());
        return estimate;
      },
      .create_plan = [&client, end, creation = std::move(creation)](
                         const v1::EstimateRequest& request,
                         const std::string& description) -> absl::StatusOr<v1::Plan> {
        v1::CreatePlanRequest create;
        *create.mutable_plan()->mutable_request() = request;
        create.mutable_plan()->set_description(description);
        create.set_request_id(creation.request_id);
        create.set_validate_only(creation.validate_only);
        auto plan = client.CallBy(end, &v1::PlanService::Stub::CreatePlan, create);
        if (!plan.ok()) return NameFlags(plan.status());
        return plan;
      },
      .delete_plan =
          [&client, end](const std::string& name) {
            if (name.empty()) return;  // One that was only checked.
            v1::DeletePlanRequest remove;
            remove.set_name(name);
            client.CallBy(end, &v1::PlanService::Stub::DeletePlan, remove).status().IgnoreError();
          },
      .get_plan =
          [&client, end](const std::string& name) -> absl::StatusOr<v1::Plan> {
            v1::GetPlanRequest get;
            get.set_name(name);
            auto plan = client.CallBy(end, &v1::PlanService::Stub::GetPlan, get);
            if (plan.ok() || absl::IsUnavailable(plan.status()) || absl::IsDeadlineExceeded(plan.status())) return plan;
            // Of the word that has the name; "name" is the API's.
            const std::string text(plan.status().message());
            return absl::Status(plan.status().code(), "--plan" + (text.starts_with("name: ") ? text.substr(4) : ": " + text));
          },
      .build_request = [&model_folders](const jobs::JobWords& words) { return RequestOfWords(words, model_folders); },
  };
}

}  // namespace planner::plannerctl
