#pragma once

#include <string_view>

#include "core/calibration/kind.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/gpu_type.h"
#include "core/hardware/precision.h"
#include "core/perf/step_constants.h"
#include "core/perf/step_time.h"
#include "core/planning/workload.h"

namespace planner::planning {

/// "none", "selective", "full".
const char* NameOf(perf::Recompute recompute);

/// What a training of a transformer is like, as calibration tells runs apart. Of plans and of rows of measured runs alike, so that
/// the one can learn from the other. `framework` is what the caller or the table named; a layout that shards everything (ZeRO-3) is another
/// way to run it, "megatron-deepspeed, ZeRO-3": what it waits for is other communication.
calibration::Kind KindOf(const perf::StepJob& job, std::string_view framework, const hardware::GpuType& gpu,
                         const hardware::Precision& precision, const perf::Layout& layout,
                         const perf::StepTimeConstants& constants);

/// The same of any workload on a pool. A model that is no transformer, or was loaded, is of the class "module" with its FLOPs for each
/// parameter and position to the next power of four: ResNet-50, 25.6e6 parameters and 24.5e9 FLOPs an image, forward and backward, is
/// "module, 4^5 FLOPs a parameter".
calibration::Kind KindOf(const Workload& work, const cluster::Pool& pool, const perf::Layout& layout,
                         const perf::StepTimeConstants& constants);

/// The kind of the same job in a layout.
calibration::Kind WithLayout(calibration::Kind kind, const perf::Layout& layout);

}  // namespace planner::planning
