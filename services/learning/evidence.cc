#include "services/learning/evidence.h"

#include <algorithm>
#include <cmath>

#include "services/convert/calibration.h"
#include "services/convert/time.h"

namespace planner::learning {

std::optional<calibration::Evidence> EvidenceOf(const v1::Run& run, absl::Time written) {
  const v1::CalibrationInfo& planned = run.planned().calibration();
  if (!run.actual().learned() || !planned.has_kind()) return std::nullopt;
  const absl::Duration predicted = convert::DurationFromProto(planned.predicted_step_duration());
  const absl::Duration measured = convert::DurationFromProto(run.actual().step_duration());
  if (predicted <= absl::ZeroDuration() || measured <= absl::ZeroDuration()) return std::nullopt;
  const google::protobuf::Timestamp& end = run.has_finish_time() ? run.finish_time() : run.actual().last().time();
  return calibration::Evidence{.kind = convert::RunKindFromProto(planned.kind()),
                               .log_ratio = std::log(absl::FDivDuration(measured, predicted)),
                               .time = std::min(convert::TimeFromProto(end), written)};
}

}  // namespace planner::learning
