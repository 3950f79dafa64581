#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "core/base/error.h"

namespace planner::libtorch {

// Why a model file is refused: INVALID_ARGUMENT with one of these reasons.

/// Damaged: truncated, wrong check sum, parts that do not fit each other.
inline absl::Status Broken(std::string_view message) { return base::InvalidField("", message, "MODEL_FILE_BROKEN"); }

/// No program that exports models writes this: made to harm what reads it.
inline absl::Status Hostile(std::string_view message) { return base::InvalidField("", message, "MODEL_FILE_HOSTILE"); }

/// Well made for all that is known, but more than the limits let through.
inline absl::Status TooLarge(std::string_view message) { return base::InvalidField("", message, "MODEL_FILE_TOO_LARGE"); }

/// Another kind of file.
inline absl::Status NotTorchScript(std::string_view message) { return base::InvalidField("", message, "NOT_TORCHSCRIPT"); }

/// TorchScript of a version, or with a feature, that this counter does not take.
inline absl::Status Unsupported(std::string_view message, std::string_view reason = "MODEL_FILE_UNSUPPORTED") {
  return base::InvalidField("", message, reason);
}

}  // namespace planner::libtorch
