#include "services/plugin_host/bounded_lines.h"

#include <algorithm>

#include "fmt/format.h"

namespace planner::plugin_host {

void BoundedLines::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    const size_t room = kMaxLine - line_.size();
    line_.append(part.substr(0, room));
    cut_ = cut_ || part.size() > room;
    if (end == std::string_view::npos) return;
    Emit();
    bytes.remove_prefix(end + 1);
  }
}

void BoundedLines::Finish() {
  if (!line_.empty()) Emit();
}

void BoundedLines::Emit() {
  const absl::Time now = clock_.Now();
  if (now - window_start_ >= kWindow) {
    window_start_ = now;
    lines_ = 0;
  }
  if (lines_ >= kMaxLines) {
    ++dropped_;
  } else {
    ++lines_;
    if (dropped_ > 0) sink_(fmt::format("({} lines were dropped)", dropped_));
    dropped_ = 0;
    if (cut_) line_ += "...";
    sink_(line_);
  }
  line_.clear();
  cut_ = false;
}

}  // namespace planner::plugin_host
