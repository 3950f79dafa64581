#include "services/server/run_validator.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/perf/step_constants.h"
#include "services/convert/validation.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr char kField[] = "runs_csv";

absl::StatusOr<std::vector<planning::MeasuredRun>> Read(const std::string& csv) {
  auto runs = planning::ParseMeasuredRuns(csv);
  if (!runs.ok()) {  // Its field is the line, which is said in the text.
    return base::InvalidField(kField, std::string(runs.status().message()), "INVALID_TABLE");
  }
  if (runs->empty()) return base::InvalidField(kField, "has a header, but no row", "INVALID_TABLE");
  return runs;
}

}  // namespace

absl::StatusOr<v1::ValidateRunsResponse> RunValidator::Validate(const v1::ValidateRunsRequest& request,
                                                                absl::Time deadline) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(std::vector<planning::MeasuredRun> runs, Read(request.runs_csv()));
  ASSIGN_OR_RETURN(const std::shared_ptr<const KnownModels> known, Known());
  const planning::RunCatalogs catalogs = {gpus_, *known, perf::BuiltInStepTimeConstants()};
  ASSIGN_OR_RETURN(const planning::RunValidation validation,
                   planning::ValidateRuns(std::move(runs), catalogs, [&] { return clock_.Now() >= deadline; }));
  v1::ValidateRunsResponse response = convert::ValidationToProto(validation);
  response.set_planner_version(version_);
  return response;
}

absl::StatusOr<std::shared_ptr<const RunValidator::KnownModels>> RunValidator::Known() {
  base::MutexLock lock(mutex_);
  if (known_ != nullptr) return known_;
  ASSIGN_OR_RETURN(const auto entries, models_.Entries());
  KnownModels known;
  for (const auto& entry : entries) {
    if (entry->description.transformer)
      known.push_back(
          {entry->name, *entry->description.transformer, static_cast<double>(entry->description.default_seq_len)});
  }
  known_ = std::make_shared<const KnownModels>(std::move(known));
  return known_;
}

}  // namespace planner::server
