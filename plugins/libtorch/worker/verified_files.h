#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"

namespace planner::libtorch {

/// SHA-256 of the whole file `fd`, 64 lower case hexadecimal digits. INTERNAL if it cannot be read.
absl::StatusOr<std::string> FileDigest(int fd);

/// Remembers the digests of files that were read whole and found good, so that counting one again does not read it again. A file
/// is known by device, inode, size and the time of its last change, not of its inode's, which the host's marks of use change. Bounded; thread-safe.
class VerifiedFiles {
 public:
  explicit VerifiedFiles(size_t capacity = 1024) : capacity_(capacity) {}

  std::optional<std::string> Digest(const struct stat& file) const;
  void Remember(const struct stat& file, const std::string& digest);

 private:
  using Key = std::array<int64_t, 5>;
  static Key KeyOf(const struct stat& file);

  const size_t capacity_;
  mutable base::Mutex mutex_;
  std::map<Key, std::string> digests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::libtorch
