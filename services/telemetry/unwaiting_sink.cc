#include "services/telemetry/unwaiting_sink.h"

#include <poll.h>
#include <spdlog/details/log_msg.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "fmt/format.h"

namespace planner::telemetry {

void UnwaitingSink::Write(int wait_milliseconds) {
  size_t written = 0;
  while (written < kept_.size()) {
    pollfd file{file_, POLLOUT, 0};
    if (poll(&file, 1, wait_milliseconds) <= 0) break;
    // Where a pipe is writable it takes so much without waiting.
    const ssize_t count = write(file_, kept_.data() + written, std::min<size_t>(PIPE_BUF, kept_.size() - written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      // Nobody is there any more, or there is no room: what cannot be said is not worth a daemon.
      written = kept_.size();
      break;
    }
    written += static_cast<size_t>(count);
  }
  kept_.erase(0, written);
}

void UnwaitingSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  base_sink::formatter_->format(message, line);
  const base::MutexLock lock(own_mutex_);
  if (lost_lines_ > 0) Write(0);
  if (kept_.size() + line.size() > most_kept_bytes_) {
    ++lost_lines_;
    return;
  }
  if (lost_lines_ > 0) {
    const std::string text = fmt::format("event=log_lines_lost lines={}", lost_lines_);
    spdlog::details::log_msg lost(message.time, {}, message.logger_name, spdlog::level::warn, text);
    spdlog::memory_buf_t formatted;
    base_sink::formatter_->format(lost, formatted);
    kept_.append(formatted.data(), formatted.size());
    lost_lines_ = 0;
  }
  kept_.append(line.data(), line.size());
  Write(0);
}

UnwaitingSink::~UnwaitingSink() {
  constexpr int kMilliseconds = 1000;
  const base::MutexLock lock(own_mutex_);
  Write(kMilliseconds);
}

}  // namespace planner::telemetry
