#include "plugins/libtorch/worker/gate.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdint>

namespace planner::libtorch {

Gate::Gate(int places)
    : event_(eventfd(static_cast<unsigned int>(places), EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) {}

bool Gate::TakeNow() const {
  uint64_t one = 0;
  return read(event_.get(), &one, sizeof(one)) == sizeof(one);
}

bool Gate::Take(absl::Time deadline, const base::Clock& clock) const {
  while (!TakeNow()) {
    if (!Wait(deadline, clock)) return false;
  }
  return true;
}

void Gate::TakeAll() const {
  while (TakeNow()) {
  }
}

bool Gate::Wait(absl::Time deadline, const base::Clock& clock) const {
  while (true) {
    pollfd file = {event_.get(), POLLIN, 0};
    const int timeout = PollTimeout(deadline, clock);
    if (poll(&file, 1, timeout) > 0) return true;
    if (timeout == 0) return false;
  }
}

void Gate::Give() const {
  const uint64_t one = 1;
  // Cannot fail: the count is far from its maximum.
  if (write(event_.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
}

int PollTimeout(absl::Time deadline, const base::Clock& clock) {
  const absl::Duration left = deadline - clock.Now();
  if (left <= absl::ZeroDuration()) return 0;
  return static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, INT_MAX));
}

}  // namespace planner::libtorch
