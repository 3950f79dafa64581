#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

constexpr size_t kMaxDescriptionBytes = 1000;
constexpr size_t kMaxRequestIdBytes = 128;
constexpr double kMaxRate = 1e18;

}  // namespace

absl::Status Validate(const v1::StartRunRequest& request) {
  RETURN_IF_ERROR(Text("request_id", request.request_id(), kMaxRequestIdBytes));
  if (!request.has_run()) return base::InvalidField("run", "is missing");
  RETURN_IF_ERROR(PlanId("run.plan", request.run().plan()).status());
  RETURN_IF_ERROR(Text("run.description", request.run().description(), kMaxDescriptionBytes));
  return request.run().has_start_time() ? Time("run.start_time", request.run().start_time()) : absl::OkStatus();
}

absl::Status Validate(const v1::ReportProgressRequest& request) {
  if (request.samples_size() <= kMaxProgressSamples) return absl::OkStatus();
  return base::InvalidField("samples", fmt::format("must be at most {} a message: it has {}", kMaxProgressSamples, request.samples_size()),
                            "TOO_LARGE");
}

absl::Status Validate(const v1::FinishRunRequest& request) {
  RETURN_IF_ERROR(RunId("name", request.name()).status());
  RETURN_IF_ERROR(KnownEnum("state", request.state(), v1::Run::State_IsValid(request.state())));
  if (request.state() == v1::Run::RUNNING) {
    return base::InvalidField("state", "must be SUCCEEDED, FAILED or CANCELLED: state=RUNNING");
  }
  RETURN_IF_ERROR(Text("message", request.message(), kMaxDescriptionBytes));
  return request.has_last() ? ValidateSample("last", request.last()) : absl::OkStatus();
}

absl::Status Validate(const v1::ListRunsRequest& request) {
  RETURN_IF_ERROR(KnownEnum("state", request.state(), v1::Run::State_IsValid(request.state())));
  return request.plan().empty() ? absl::OkStatus() : PlanId("plan", request.plan()).status();
}

absl::Status ValidateSample(std::string_view field, const v1::ProgressSample& sample) {
  const std::string prefix = std::string(field) + ".";
  if (sample.has_time()) RETURN_IF_ERROR(Time(prefix + "time", sample.time()));
  if (!sample.has_step() && !sample.has_token_count()) return base::InvalidField(prefix + "step", "is missing, and so is token_count");
  if (sample.has_step()) RETURN_IF_ERROR(Between(prefix + "step", sample.step(), 0, kMaxSteps));
  if (sample.has_token_count()) RETURN_IF_ERROR(NotNegative(prefix + "token_count", sample.token_count(), kMaxCount));
  if (sample.has_tokens_per_second()) RETURN_IF_ERROR(NotNegative(prefix + "tokens_per_second", sample.tokens_per_second(), kMaxRate));
  if (sample.has_loss()) RETURN_IF_ERROR(Number(prefix + "loss", sample.loss()));
  if (sample.has_gpu_utilization_ratio()) {
    RETURN_IF_ERROR(NotNegative(prefix + "gpu_utilization_ratio", sample.gpu_utilization_ratio(), 1));
  }
  return absl::OkStatus();
}

}  // namespace planner::validate
