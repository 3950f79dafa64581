#pragma once

#include "core/calibration/kind.h"
#include "core/planning/plan.h"
#include "planner/v1/estimate.pb.h"

namespace planner::convert {

v1::RunKind RunKindToProto(const calibration::Kind& kind);
calibration::Kind RunKindFromProto(const v1::RunKind& proto);

/// What an answer says of the runs that it is corrected by.
v1::CalibrationInfo CalibrationToProto(const planning::Calibrated& calibrated);

}  // namespace planner::convert
