#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/hardware/gpu_type.h"
#include "planner/config/v1/config.pb.h"
#include "services/config/address.h"
#include "services/collector/source.h"
#include "services/config/flags.h"
#include "services/model_files/model_file_store.h"
#include "services/utilization/options.h"

namespace planner::config {

/// What plannerd runs with: flags, else configuration, else defaults.
struct Settings {
  std::vector<Address> listen;
  std::optional<Address> metrics_listen;  ///< Absent: no metrics port.
  std::string state_dir;                  ///< Empty: nobody has named one.
  std::string postgresql;  ///< Connection string of the database of records; empty: they are in state_dir.
  std::vector<hardware::GpuType> gpu_types;
  std::vector<planner::v1::Cluster> clusters;
  absl::Duration max_call = absl::Seconds(30);
  int max_concurrent_calls = 64;
  std::vector<v1::CounterPlugin> counter_plugins;  ///< As they are written; app::App::Create checks them.
  model_files::StoreOptions model_files;
  utilization::UtilizationOptions utilization;
  std::vector<collector::Source> utilization_sources;
  v1::Tls tls;  ///< Of the addresses that are no Unix sockets; its files all belong together.
};

/// Protobuf text format. INVALID_ARGUMENT "FILE:LINE:COLUMN: what" for anything that is no Config, an
/// unknown field included.
absl::StatusOr<v1::Config> ParseConfig(std::string_view text, std::string_view file_name);

/// Of a file of at most 16 MiB. NOT_FOUND: it cannot be read.
absl::StatusOr<v1::Config> ReadConfig(const std::string& file_name);

/// INVALID_ARGUMENT with the configuration's field for values out of range. Names of GPU types are looked
/// up by app::App::Create.
absl::StatusOr<Settings> MakeSettings(const Flags& flags, const v1::Config& config);

}  // namespace planner::config
