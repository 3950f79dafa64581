#include "clients/kubernetes/wording.h"

#include "clients/jobs/time_limit.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

std::string SecondsText(int64_t minutes) { return fmt::format("{} ({})", minutes * 60, jobs::SpanText(absl::Minutes(minutes))); }

}  // namespace

jobs::Wording KubernetesWording() {
  return {.job = "kubernetes training",
          .place = "namespace",
          .word_prefix = "planner.io/",
          .gpu_type = "nvidia.com/gpu.product",
          .ask_for_gpu_type = "give the pods a nodeSelector with nvidia.com/gpu.product",
          .time_limit = "activeDeadlineSeconds",
          .time_option = "activeDeadlineSeconds: ",
          .time_text = SecondsText};
}

}  // namespace planner::kubernetes
