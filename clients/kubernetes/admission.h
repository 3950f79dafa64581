#pragma once

#include <functional>
#include <string>

#include "clients/jobs/decision.h"
#include "clients/kubernetes/http.h"
#include "clients/kubernetes/workload.h"

namespace planner::kubernetes {

/// A training that the API server asks about.
struct AdmissionRequest {
  Workload workload;
  std::string uid;          ///< Of the request: the same for every time it is asked about.
  std::string user;         ///< Who creates it.
  bool is_dry_run = false;  ///< Nothing may be kept.
};

struct AdmissionOptions {
  /// What becomes of a training.
  std::function<jobs::Decision(const AdmissionRequest&)> decide;
  /// What becomes of one that cannot be read: the error is one of its user's.
  std::function<jobs::Decision(const absl::Status&, const std::string& name_space)> decide_unreadable;
  /// PLANNER_SERVER of its containers, so that they can report themselves; empty: it is not set.
  std::string server_for_pods;
};

/// Answers an AdmissionReview (admission.k8s.io/v1) about a Job, PyTorchJob or JobSet that is created. What is planned is allowed with patches: the
/// annotation planner.io/plan, PLANNER_PLAN in the environment of containers with GPUs, and activeDeadlineSeconds where the decision sets it.
/// Messages are warnings, which kubectl shows; a refusal has its reason, and code 403. Everything else is allowed as it is. 400: no AdmissionReview.
HttpResponse Admit(const std::string& body, const AdmissionOptions& options);

}  // namespace planner::kubernetes
