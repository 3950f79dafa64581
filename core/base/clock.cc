#include "core/base/clock.h"

#include "absl/time/clock.h"

namespace planner::base {
namespace {

class RealClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock kClock;
  return kClock;
}

}  // namespace planner::base
