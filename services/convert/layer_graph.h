#pragma once

#include "absl/status/statusor.h"
#include "core/model/layer_graph.h"
#include "planner/v1/layer_graph.pb.h"

namespace planner::convert {

/// The graph as core reads it. Sizes are taken as they are, for model::DescribeLayerGraph to check; INVALID_ARGUMENT, with
/// the layer's path, for what the core form cannot say: a layer of no kind or of one that this version does not know, an
/// unspecified enum that has no default, bodies nested too deeply.
absl::StatusOr<model::LayerGraph> LayerGraphFromProto(const v1::LayerGraph& proto);

}  // namespace planner::convert
