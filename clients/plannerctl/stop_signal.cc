#include "clients/plannerctl/stop_signal.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>

#include "core/base/clock.h"

namespace planner::plannerctl {
namespace {

/// What the handler may use: what is written here wakes the waiting thread, whichever thread the signal has come to.
int wake_writer = -1;

void OnSignal(int signal) {
  const int kept = errno;
  [[maybe_unused]] const ssize_t written = write(wake_writer, "x", 1);
  errno = kept;
  // Whoever asks twice does not want to wait.
  std::signal(signal, SIG_DFL);
}

/// The reading end of the pipe; the handlers are there after the first call.
int WakeReader() {
  static const int reader = [] {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    wake_writer = ends[1];
    struct sigaction action {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    return ends[0];
  }();
  return reader;
}

}  // namespace

bool WaitForStopSignal(absl::Duration at_most) {
  const int reader = WakeReader();
  const absl::Time end = base::Clock::Real().Now() + at_most;
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(absl::Ceil(end - base::Clock::Real().Now(), absl::Milliseconds(1)));
    pollfd waited = {.fd = reader, .events = POLLIN, .revents = 0};
    // What was written stays in the pipe: once told is told for good.
    const int count = poll(&waited, 1, static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max())));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

}  // namespace planner::plannerctl
