#pragma once

#include "core/hardware/gpu_type.h"
#include "core/hardware/precision.h"
#include "planner/v1/hardware.pb.h"

namespace planner::convert {

v1::GpuType GpuTypeToProto(const hardware::GpuType& type);

/// A type of the configuration. Absent counts of cards are 8 for a node and the node's for the fast link.
hardware::GpuType GpuTypeFromProto(const v1::GpuType& proto);

/// With what a billion parameters need: weights, inference, and training by every optimizer.
v1::PrecisionInfo PrecisionToProto(const hardware::Precision& precision);

}  // namespace planner::convert
