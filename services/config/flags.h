#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::config {

/// plannerd's command line.
struct Flags {
  std::string config_file;                    ///< Empty: no file.
  std::vector<std::string> listen;            ///< Empty: the configuration's.
  std::optional<std::string> metrics_listen;  ///< Absent: the configuration's.
  std::optional<std::string> state_dir;       ///< Absent: the configuration's.
  std::optional<std::string> postgresql;      ///< Absent: the configuration's.
  std::string backup_file;                    ///< Not empty: write a backup and exit.
  std::string restore_file;                   ///< Not empty: restore that backup and exit.
  bool check_config = false;
  bool version = false;
  std::string help;  ///< Not empty: the text that was asked for, to be printed.
};

/// Flags are written with "_" or "-": `--state_dir`, `--state-dir`. INVALID_ARGUMENT for unknown or
/// incomplete ones.
absl::StatusOr<Flags> ParseFlags(int argc, const char* const* argv);

}  // namespace planner::config
