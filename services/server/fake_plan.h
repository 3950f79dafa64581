#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "planner/v1/plan_service.pb.h"

namespace planner::server {

/// A plan that is CONFIRMED: 1,000 steps of 10 s and 4,000 tokens on 8 cards of "main", 8,500 to 11,765 s, for USD 2 a GPU hour.
inline v1::Plan FakePlan() {
  v1::Plan plan;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(R"pb(
    state: CONFIRMED
    request { training { framework: "megatron-core" } }
    estimate {
      model: "llama-7b"
      token_count: 4e6
      recommendations {
        cluster: "main" node_pool: "p" gpu_type: "H100-SXM-80GB" gpu_count: 8 node_count: 1
        layout { data_parallel: 8 }
        step_count: 1000
        step_duration { seconds: 10 }
        total_duration { seconds: 10000 }
        total_duration_low { seconds: 8500 }
        total_duration_high { seconds: 11765 }
        tokens_per_second: 400
        model_flops_utilization: 0.4
        gpu_hours: 22.2222222
        cost: 44.4444444
        currency: "USD"
        calibration { factor: 1 predicted_step_duration { seconds: 10 } kind { gpu_type: "H100-SXM-80GB" } }
      }
    })pb", &plan));
  return plan;
}

}  // namespace planner::server
