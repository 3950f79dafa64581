#pragma once

#include <functional>

namespace planner::base {

/// Says whether nobody waits for the answer any more. Cheap; asked from the thread that works on the call, every few milliseconds.
/// Empty: somebody always waits.
using Cancellation = std::function<bool()>;

/// Whether `cancellation` says so.
inline bool IsCancelled(const Cancellation& cancellation) { return cancellation && cancellation(); }

}  // namespace planner::base
