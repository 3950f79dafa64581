#include "clients/kubernetes/wording.h"

#include <gtest/gtest.h>

namespace planner::kubernetes {
namespace {

TEST(KubernetesWordingTest, TimeLimitsAreSeconds) {
  EXPECT_EQ(KubernetesWording().time_text(90), "5400 (90 min)");
  EXPECT_EQ(jobs::InWords("--gpu[0]: no GPU type is named \"x\"", KubernetesWording()), "nvidia.com/gpu.product: no GPU type is named \"x\"");
}

}  // namespace
}  // namespace planner::kubernetes
