#pragma once

#include "absl/status/status.h"
#include "plugins/libtorch/archive/limits.h"

namespace planner::libtorch {

/// Checks the model file `fd` before torch sees it; that it passes does not make it harmless, so torch sees it only inside the
/// sandbox. In this order: a regular file; a zip directory that one can rely on (zip_directory.h); the layout of TorchScript,
/// stored members but for code/, whose deflated size is bounded; the check sums of all members; the code (code_check.h); the
/// pickles (pickle_check.h). Memory: some MiB beside the code and pickles, whatever the file's size. Time: that of reading the
/// file once.
/// INVALID_ARGUMENT with the reasons of archive_error.h and a sentence that names the member; does not move `fd`'s position.
absl::Status CheckArchive(int fd, const ArchiveLimits& limits = {});

}  // namespace planner::libtorch
