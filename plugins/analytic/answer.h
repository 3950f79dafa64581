#pragma once

#include "absl/status/statusor.h"
#include "core/counting/cost_report.h"
#include "core/counting/counter.h"
#include "planner/plugin/v1/counter_plugin.pb.h"

namespace planner::plugin {

/// A request as core's counters take it, with the protocol's defaults. Borrows the model.
counting::CountRequest CoreRequest(const v1::CountRequest& request, const model::ModelDescription& model, absl::Time deadline);

/// A core counter's report, or its error with code, reason and field, as a plugin answers it.
v1::CountResponse Answer(const absl::StatusOr<counting::CostReport>& report);

}  // namespace planner::plugin
