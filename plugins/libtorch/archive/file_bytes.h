#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace planner::libtorch {

/// Reads exactly `size` bytes at `offset` of `fd` into `buffer`, without moving its position. MODEL_FILE_BROKEN if the file
/// ends before; INTERNAL if it cannot be read.
absl::Status ReadAt(int fd, int64_t offset, char* buffer, int64_t size);

/// The same, as a string. The caller bounds `size`.
absl::StatusOr<std::string> ReadAt(int fd, int64_t offset, int64_t size);

}  // namespace planner::libtorch
