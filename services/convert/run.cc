#include "services/convert/run.h"

#include <algorithm>

#include "services/convert/time.h"

namespace planner::convert {

v1::PlannedRun PlannedRunToProto(const v1::Plan& plan, absl::Time start) {
  const v1::EstimateResponse& estimate = plan.estimate();
  const v1::Recommendation& best = estimate.recommendations(0);
  v1::PlannedRun planned;
  planned.set_cluster(best.cluster());
  planned.set_node_pool(best.node_pool());
  planned.set_gpu_type(best.gpu_type());
  planned.set_gpu_count(best.gpu_count());
  *planned.mutable_layout() = best.layout();
  planned.set_step_count(best.step_count());
  planned.set_token_count(estimate.token_count());
  const double step_seconds = absl::ToDoubleSeconds(DurationFromProto(best.step_duration()));
  planned.set_tokens_per_step(best.step_count() > 0 && estimate.token_count() > 0 ? estimate.token_count() / best.step_count()
                                                                                 : best.tokens_per_second() * step_seconds);
  *planned.mutable_step_duration() = best.step_duration();
  if (best.has_calibration()) *planned.mutable_calibration() = best.calibration();
  *planned.mutable_total_duration() = best.total_duration();
  *planned.mutable_total_duration_low() = best.total_duration_low();
  *planned.mutable_total_duration_high() = best.total_duration_high();
  const absl::Duration total = DurationFromProto(best.total_duration());
  if (total > absl::ZeroDuration()) *planned.mutable_finish_time() = TimeToProto(start + total);
  planned.set_tokens_per_second(best.tokens_per_second());
  planned.set_model_flops_utilization(best.model_flops_utilization());
  planned.set_gpu_hours(best.gpu_hours());
  planned.set_cost(best.cost());
  planned.set_currency(best.currency());
  planned.set_framework(plan.request().training().framework());
  planned.set_model(estimate.model());
  return planned;
}

runs::Planned PlannedFromProto(const v1::Run& run) {
  const v1::PlannedRun& proto = run.planned();
  return {.start = TimeFromProto(run.start_time()),
          .steps = proto.step_count(),
          .tokens_per_step = proto.tokens_per_step(),
          .step = DurationFromProto(proto.step_duration()),
          .total = DurationFromProto(proto.total_duration()),
          .low = DurationFromProto(proto.total_duration_low()),
          .high = DurationFromProto(proto.total_duration_high())};
}

runs::Sample SampleFromProto(const v1::ProgressSample& proto, double tokens_per_step) {
  runs::Sample sample;
  sample.time = TimeFromProto(proto.time());
  if (proto.has_step()) {
    sample.step = proto.step();
  } else if (tokens_per_step > 0) {
    // What is not quite a step is one: tokens of a step need not be whole.
    constexpr double kMostSteps = 1e15;
    sample.step = static_cast<int64_t>(std::min(kMostSteps, proto.token_count() / tokens_per_step + 1e-6));
  }
  if (proto.has_token_count()) sample.tokens = proto.token_count();
  if (proto.has_tokens_per_second()) sample.tokens_per_second = proto.tokens_per_second();
  if (proto.has_loss()) sample.loss = proto.loss();
  if (proto.has_gpu_utilization_ratio()) sample.gpu_utilization = proto.gpu_utilization_ratio();
  return sample;
}

v1::ProgressSample SampleToProto(const runs::Sample& sample) {
  v1::ProgressSample proto;
  *proto.mutable_time() = TimeToProto(sample.time);
  proto.set_step(sample.step);
  if (sample.tokens) proto.set_token_count(*sample.tokens);
  if (sample.tokens_per_second) proto.set_tokens_per_second(*sample.tokens_per_second);
  if (sample.loss) proto.set_loss(*sample.loss);
  if (sample.gpu_utilization) proto.set_gpu_utilization_ratio(*sample.gpu_utilization);
  return proto;
}

}  // namespace planner::convert
