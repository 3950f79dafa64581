#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace planner::base {

/// A file that gets its name when everything is written and on the disk: who reads it finds the old one or the new one as a whole. It
/// takes the place of a file only: a device, a pipe, a socket or a folder of that name stays what it is; a symbolic link stays, and what
/// it leads to is written anew. Not for several threads.
///
/// The text of every error starts with the path: NOT_FOUND: there is no such folder; PERMISSION_DENIED; RESOURCE_EXHAUSTED: the disk is
/// full; FAILED_PRECONDITION: what has the name is no file; INTERNAL: whatever else the system says.
class NewFile {
 public:
  /// Begins a file that will be called `path`. `mode`: who may read it, S_IRUSR | S_IWUSR for its owner alone.
  static absl::StatusOr<NewFile> Create(const std::string& path, mode_t mode);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  /// What is not finished leaves nothing behind.
  ~NewFile();

  absl::Status Write(std::string_view bytes);
  /// After this the file is there. At most once, and nothing is written after it.
  absl::Status Finish();

 private:
  NewFile(int file, std::string path, std::string temporary);
  absl::Status Flush();

  int file_;
  std::string path_;
  std::string temporary_;
  std::string buffer_;
};

}  // namespace planner::base
