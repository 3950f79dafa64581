#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::kubernetes {

struct ApiServerOptions {
  std::string url;         ///< "https://10.0.0.1:443", "http://127.0.0.1:8001" (kubectl proxy).
  std::string token_file;  ///< Read for every list: such tokens are replaced. Empty: none.
  std::string ca_file;     ///< Who signs the server's certificate; empty: those that this machine trusts.
  absl::Duration timeout = absl::Seconds(10);  ///< For a page to begin, and between its parts.
  absl::Duration whole = absl::Minutes(2);     ///< For all pages of a list, or an answer, however they trickle.

  /// As a pod has them: the service kubernetes, the account's token. FAILED_PRECONDITION: this is no pod.
  static absl::StatusOr<ApiServerOptions> OfPod(const std::function<std::string(const std::string&)>& variable);
};

/// Lists what a Kubernetes API server has, and writes states.
class ApiServer {
 public:
  explicit ApiServer(ApiServerOptions options) : options_(std::move(options)) {}

  /// Each item of a list, page by page: "/api/v1/nodes", "/api/v1/pods" with "fieldSelector=…" in `query`. Stops at the first error: UNAVAILABLE:
  /// nobody answers; DEADLINE_EXCEEDED: not all of it has come in time; PERMISSION_DENIED and others as the server says; DATA_LOSS: no list, a page beyond 64 MiB, more than 10,000 pages;
  /// INVALID_ARGUMENT: `url`; what `each` gives.
  absl::Status List(const std::string& path, const std::string& query, const std::function<absl::Status(const nlohmann::json&)>& each) const;

  /// Applies `object` at `path` in the name of `manager`, whose fields these are from then on (server-side apply), whoever had them before.
  /// ABORTED: it has changed since it was read, where it carries a resourceVersion. Other errors as above.
  absl::Status Apply(const std::string& path, const nlohmann::json& object, const std::string& manager) const;

 private:
  ApiServerOptions options_;
};

}  // namespace planner::kubernetes
