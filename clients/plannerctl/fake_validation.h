#pragma once

#include <string>

#include "planner/v1/validation.pb.h"

namespace planner::plannerctl {

/// Three rows of two tables of one publication: one 10 % too fast and inside its interval, one 50 % too slow and outside,
/// one skipped. For tests.
inline v1::ValidateRunsResponse FakeValidation() {
  v1::ValidateRunsResponse validation;
  for (int i = 0; i < 3; ++i) {
    v1::RunPrediction& row = *validation.add_rows();
    row.set_id("r" + std::to_string(i));
    row.set_source(i == 0 ? "a paper / table 1" : "a paper / table 2");
    row.set_publication("a paper");
    row.set_model("gpt");
    row.set_gpu_type("A100-SXM-80GB");
    row.set_gpu_family("Ampere");
    row.set_gpu_count(64);
    row.set_status("ok");
    row.set_measured_step_seconds(10);
  }
  v1::RunPrediction& fast = *validation.mutable_rows(0);
  fast.set_predicted_step_seconds(9);
  fast.set_low_step_seconds(8);
  fast.set_high_step_seconds(11);
  fast.set_measured_peak_memory_gib(40);
  fast.set_predicted_peak_memory_gib(44);
  fast.set_low_peak_memory_gib(38);
  fast.set_high_peak_memory_gib(51);
  fast.set_fits(true);
  v1::RunPrediction& slow = *validation.mutable_rows(1);
  slow.set_predicted_step_seconds(15);
  slow.set_low_step_seconds(12);
  slow.set_high_step_seconds(18);
  slow.set_fits(false);
  validation.mutable_rows(2)->set_skipped("the model is unknown");

  const auto fill = [](v1::RunGroup& group, const char* source, const char* family) {
    group.set_source(source);
    group.set_gpu_family(family);
    group.set_row_count(3);
    group.set_predicted_count(2);
    group.set_skipped_count(1);
    group.set_time_count(2);
    group.set_time_mape(0.3);
    group.set_time_median_ratio(1.2);
    group.set_time_coverage90(0.5);
    group.set_memory_count(1);
    group.set_memory_mape(0.1);
    group.set_memory_median_ratio(1.1);
    group.set_memory_coverage90(1);
    group.set_ran_count(2);
    group.set_ran_wrong_count(1);
  };
  fill(*validation.mutable_overall(), "", "");
  fill(*validation.add_publications(), "a paper", "");
  fill(*validation.add_gpu_families(), "", "Ampere");
  v1::RunGroup& first = *validation.add_groups();
  first.set_source("a paper / table 1");
  first.set_row_count(1);
  v1::RunGroup& second = *validation.add_groups();
  second.set_source("a paper / table 2");
  second.set_row_count(2);
  validation.set_planner_version("1.2.3");
  return validation;
}

}  // namespace planner::plannerctl
