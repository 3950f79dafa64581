#pragma once

#include "clients/jobs/wording.h"

namespace planner::kubernetes {

/// How users of Kubernetes know what a decision speaks of: annotations, labels of nodes, fields of objects.
jobs::Wording KubernetesWording();

}  // namespace planner::kubernetes
