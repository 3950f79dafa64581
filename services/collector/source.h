#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/utilization/summary.h"
#include "planner/config/v1/config.pb.h"
#include "services/collector/http_client.h"

namespace planner::collector {

/// One question of a round.
struct Query {
  utilization::Metric metric;
  std::string promql;
  /// What a value is multiplied by to be a ratio, bytes or watts.
  double scale = 1;
};

/// A Prometheus that measures the GPUs of a cluster.
struct Source {
  std::string cluster;  ///< "main"
  std::string url;      ///< Of its API's instant queries: ".../api/v1/query".
  std::vector<Query> queries;
  std::vector<std::string> node_labels, gpu_labels;
  absl::Duration interval;
  absl::Duration max_sample_age;
  /// Limits, and the PEM files; the URL is the one above, what is in the files below is read with each round.
  HttpRequest request;
  std::string bearer_token_file, password_file;
};

/// With the preset's queries and the defaults. INVALID_ARGUMENT at a field below `field`.
absl::StatusOr<Source> MakeSource(const std::string& field, const config::v1::UtilizationSource& proto);

/// What a file of a secret holds, without the blanks around it. The error names the file, never what is in it.
absl::StatusOr<std::string> ReadSecret(const std::string& file_name);

}  // namespace planner::collector
