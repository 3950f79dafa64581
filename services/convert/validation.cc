#include "services/convert/validation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "services/errors/grpc_status.h"

namespace planner::convert {
namespace {

/// Of the table, where they may be of any encoding.
std::string Text(std::string_view text) {
  constexpr size_t kMaxBytes = 1000;
  return errors::Printable(text, kMaxBytes);
}

/// A number of the table, which may be of any size; 0 for what counts nothing (8.5 cards).
int64_t Count(const std::optional<double>& number) {
  constexpr double kMax = 1e15;
  if (number && std::floor(*number) != *number) return 0;
  return std::llround(std::min(number.value_or(0), kMax));
}

v1::RunPrediction Row(const planning::ValidatedRun& row) {
  const planning::RunComparison& comparison = row.comparison;
  v1::RunPrediction proto;
  proto.set_id(Text(row.run.id));
  proto.set_source(Text(row.run.source));
  proto.set_measured_step_seconds(comparison.measured_step_seconds);
  proto.set_predicted_step_seconds(comparison.predicted_step_seconds);
  proto.set_low_step_seconds(comparison.low_step_seconds);
  proto.set_high_step_seconds(comparison.high_step_seconds);
  proto.set_measured_peak_memory_gib(comparison.measured_peak_gib);
  proto.set_predicted_peak_memory_gib(comparison.predicted_peak_gib);
  proto.set_low_peak_memory_gib(comparison.low_peak_gib);
  proto.set_high_peak_memory_gib(comparison.high_peak_gib);
  if (comparison.fits.has_value()) proto.set_fits(*comparison.fits);
  proto.set_skipped(Text(row.prediction.skipped));
  proto.set_model(Text(row.run.model));
  proto.set_gpu_type(Text(row.gpu_type));
  proto.set_gpu_family(comparison.gpu_family);
  proto.set_gpu_count(Count(row.run.gpus));
  proto.set_status(row.run.status.empty() ? "ok" : Text(row.run.status));
  proto.set_line(row.run.line);
  proto.set_publication(Text(planning::PublicationOf(comparison)));
  return proto;
}

v1::RunGroup Group(const planning::RunErrors& errors) {
  v1::RunGroup proto;
  proto.set_row_count(errors.row_count);
  proto.set_predicted_count(errors.predicted_count);
  proto.set_skipped_count(errors.skipped_count);
  proto.set_time_count(errors.time_count);
  proto.set_time_mape(errors.time_mape);
  proto.set_time_median_ratio(errors.time_median_ratio);
  proto.set_time_coverage90(errors.time_coverage);
  proto.set_memory_count(errors.memory_count);
  proto.set_memory_mape(errors.memory_mape);
  proto.set_memory_median_ratio(errors.memory_median_ratio);
  proto.set_memory_coverage90(errors.memory_coverage);
  proto.set_oom_count(errors.oom_count);
  proto.set_oom_right_count(errors.oom_right_count);
  proto.set_ran_count(errors.ran_count);
  proto.set_ran_wrong_count(errors.ran_wrong_count);
  return proto;
}

v1::RunGroup OfSource(const planning::NamedErrors& named) {
  v1::RunGroup group = Group(named.errors);
  group.set_source(Text(named.name));
  return group;
}

}  // namespace

v1::ValidateRunsResponse ValidationToProto(const planning::RunValidation& validation) {
  v1::ValidateRunsResponse response;
  for (const planning::ValidatedRun& row : validation.rows) *response.add_rows() = Row(row);
  *response.mutable_overall() = Group(validation.overall);
  for (const planning::NamedErrors& named : validation.sources) *response.add_groups() = OfSource(named);
  for (const planning::NamedErrors& named : validation.publications) *response.add_publications() = OfSource(named);
  for (const planning::NamedErrors& named : validation.gpu_families) {
    v1::RunGroup& group = *response.add_gpu_families() = Group(named.errors);
    group.set_gpu_family(Text(named.name));
  }
  for (const std::string& warning : validation.warnings) response.add_warnings(Text(warning));
  return response;
}

}  // namespace planner::convert
