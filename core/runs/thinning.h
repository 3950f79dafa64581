#pragma once

#include <cstddef>
#include <vector>

#include "core/runs/sample.h"

namespace planner::runs {

/// Samples of a run that are kept at most.
inline constexpr size_t kMostSamples = 500;

/// At most 500 of the samples, in order of time and evenly spread over it: time is cut into slots of the smallest power of two
/// microseconds of which 499 reach from the first sample to the last, and each keeps its earliest sample; the newest one of all is kept
/// beside. Of two at the same moment the one with more steps stays.
///
/// What is kept depends on the set of samples alone: Thinned(Thinned(a) + b) = Thinned(a + b), so neither the order in which reports
/// arrive, nor how often, nor how they were batched matters. (A slot's earliest sample is the earliest of the earliest of its halves, and
/// slots only ever grow.)
///
/// Reports every second for 10 minutes, 600 of them: slots of 2^21 us = 2.1 s, 286 and the newest are kept.
std::vector<Sample> Thinned(std::vector<Sample> samples);

}  // namespace planner::runs
