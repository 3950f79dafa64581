#pragma once

#include <string_view>

namespace planner::planning {

/// Half of the 90 % interval's width of a predicted peak memory, of the logarithm: from peak / exp(w) to peak x exp(w). From the
/// residuals of measured peaks (tests/accuracy/memory_intervals.py, which prints this table), by the framework: "" is one that
/// is not named. 60 GiB with megatron-core, w 0.145: 51.9 to 69.4 GiB.
///
/// Whether a run fits is decided by the peak itself and not by the interval's upper end: tables of published runs are full of
/// runs that somebody tuned until the card was full. The upper end beyond the card is a warning.
double MemoryHalfWidth(std::string_view framework);

}  // namespace planner::planning
