#pragma once

#include <cstddef>
#include <istream>
#include <string>

#include "absl/status/statusor.h"

namespace planner::plannerctl {

/// Largest description that is read: what the server takes as well.
inline constexpr size_t kMaxFileBytes = size_t{4} << 20;

/// Largest table of measured runs that is read: what the server takes as well.
inline constexpr size_t kMaxTableBytes = size_t{8} << 20;

/// The whole text of a file, or of `standard_input` for "-". Refuses what is larger than `limit`
/// without reading more than that much of it (pipes and devices too).
/// INVALID_ARGUMENT with the path for a file that is missing, a folder, unreadable or too large, and for a named pipe that nobody writes
/// to, which is not waited for.
absl::StatusOr<std::string> ReadBoundedFile(const std::string& path, std::istream& standard_input,
                                            size_t limit = kMaxFileBytes);

}  // namespace planner::plannerctl
