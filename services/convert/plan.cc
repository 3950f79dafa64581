#include "services/convert/plan.h"

#include "services/convert/calibration.h"
#include "services/convert/provenance.h"
#include "services/convert/time.h"

namespace planner::convert {
namespace {

v1::Layout::Recompute RecomputeToProto(parallel::Recompute recompute) {
  switch (recompute) {
    case parallel::Recompute::kNone:
      return v1::Layout::NONE;
    case parallel::Recompute::kSelective:
      return v1::Layout::SELECTIVE;
    case parallel::Recompute::kFull:
      return v1::Layout::FULL;
  }
  return v1::Layout::RECOMPUTE_UNSPECIFIED;
}

v1::Recommendation::UtilizationSource SourceToProto(planning::UtilizationSource source) {
  switch (source) {
    case planning::UtilizationSource::kPredicted:
      return v1::Recommendation::PREDICTED;
    case planning::UtilizationSource::kMeasured:
      return v1::Recommendation::MEASURED;
    case planning::UtilizationSource::kGiven:
      return v1::Recommendation::GIVEN;
  }
  return v1::Recommendation::UTILIZATION_SOURCE_UNSPECIFIED;
}

void SetLayout(const parallel::Layout& layout, v1::Layout& proto) {
  proto.set_data_parallel(layout.data_parallel);
  proto.set_tensor_parallel(layout.tensor_parallel);
  proto.set_pipeline_parallel(layout.pipeline_parallel);
  proto.set_virtual_pipeline(layout.virtual_pipeline);
  proto.set_context_parallel(layout.context_parallel);
  proto.set_expert_parallel(layout.expert_parallel);
  proto.set_micro_batch_size(layout.micro_batch_size);
  proto.set_zero_stage(layout.zero_stage);
  proto.set_shard_group(layout.shard_group);
  proto.set_recompute(RecomputeToProto(layout.recompute));
  proto.set_sequence_parallel(layout.sequence_parallel);
}

void SetMemory(const planning::Recommendation& recommendation, v1::MemoryPerGpu& proto) {
  const parallel::MemoryPerGpu& memory = recommendation.memory;
  proto.set_total_bytes(memory.total_bytes());
  proto.set_capacity_bytes(recommendation.capacity_bytes);
  proto.set_parameter_bytes(memory.parameter_bytes);
  proto.set_gradient_bytes(memory.gradient_bytes);
  proto.set_optimizer_bytes(memory.optimizer_bytes);
  proto.set_activation_bytes(memory.activation_bytes);
  proto.set_overhead_bytes(memory.overhead_bytes);
  proto.set_low_bytes(recommendation.memory_low_bytes);
  proto.set_high_bytes(recommendation.memory_high_bytes);
}

void SetTimes(const planning::Recommendation& recommendation, v1::Recommendation& proto) {
  *proto.mutable_step_duration() = DurationToProto(recommendation.step_duration);
  *proto.mutable_total_duration() = DurationToProto(recommendation.total_duration);
  *proto.mutable_total_duration_low() = DurationToProto(recommendation.total_duration_low);
  *proto.mutable_total_duration_high() = DurationToProto(recommendation.total_duration_high);
  *proto.mutable_start_time() = TimeToProto(recommendation.start_time);
  *proto.mutable_finish_time() = TimeToProto(recommendation.finish_time);
}

void SetGoodput(const planning::Goodput& goodput, absl::Duration total, v1::Goodput& proto) {
  proto.set_ratio(goodput.ratio);
  *proto.mutable_elapsed_duration() = DurationToProto(total / goodput.ratio);
  *proto.mutable_mean_time_between_failures() = DurationToProto(absl::Seconds(goodput.seconds_between_failures));
  *proto.mutable_checkpoint_interval() = DurationToProto(absl::Seconds(goodput.checkpoint_interval_seconds));
  *proto.mutable_checkpoint_duration() = DurationToProto(absl::Seconds(goodput.checkpoint_seconds));
  *proto.mutable_restart_duration() = DurationToProto(absl::Seconds(goodput.restart_seconds));
}

void SetRecommendation(const planning::Recommendation& recommendation, v1::Recommendation& proto) {
  proto.set_gpu_type(recommendation.gpu_type);
  proto.set_gpu_count(recommendation.gpu_count);
  proto.set_node_count(recommendation.node_count);
  SetLayout(recommendation.layout, *proto.mutable_layout());
  SetTimes(recommendation, proto);
  proto.set_gpu_hours(recommendation.gpu_hours);
  proto.set_cost(recommendation.cost);
  proto.set_currency(recommendation.currency);
  proto.set_energy_kwh(recommendation.energy_kwh);
  SetMemory(recommendation, *proto.mutable_memory_per_gpu());
  proto.set_model_flops_utilization(recommendation.model_flops_utilization);
  proto.set_hardware_flops_utilization(recommendation.hardware_flops_utilization);
  proto.set_tokens_per_second(recommendation.tokens_per_second);
  proto.set_utilization_source(SourceToProto(recommendation.utilization_source));
  proto.set_limited_by(recommendation.limited_by);
  proto.mutable_explanation()->Assign(recommendation.explanation.begin(), recommendation.explanation.end());
  proto.set_cluster(recommendation.cluster);
  proto.set_node_pool(recommendation.node_pool);
  proto.set_global_batch(recommendation.global_batch);
  proto.set_micro_batch_count(recommendation.micro_batch_count);
  proto.set_step_count(recommendation.step_count);
  proto.set_next_better(recommendation.next_better);
  if (recommendation.calibrated) *proto.mutable_calibration() = CalibrationToProto(*recommendation.calibrated);
  SetGoodput(recommendation.goodput, recommendation.total_duration, *proto.mutable_goodput());
  if (recommendation.step) {
    for (const perf::StepTerm& term : perf::StepTerms()) {
      const double seconds = (*recommendation.step).*term.seconds;
      if (!(seconds > 0)) continue;
      v1::StepTerm& one = *proto.add_step_terms();
      one.set_name(std::string(term.name));
      *one.mutable_duration() = DurationToProto(absl::Seconds(seconds));
    }
  }
  for (const planning::LaunchFlags& launch : recommendation.launch) {
    v1::LaunchFlags& flags = *proto.add_launch();
    flags.set_framework(launch.framework);
    flags.set_flags(launch.flags);
    flags.set_config(launch.config);
    flags.set_unsupported(launch.unsupported);
  }
}

}  // namespace

v1::EstimateResponse PlanToProto(const planning::Plan& plan) {
  v1::EstimateResponse response;
  response.set_model_flops(plan.model_flops);
  response.set_hardware_flops(plan.hardware_flops);
  response.set_parameter_count(plan.parameters);
  response.set_active_parameter_count(plan.active_parameters);
  response.set_token_count(plan.token_count);
  response.set_sample_count(plan.sample_count);
  for (const planning::Recommendation& recommendation : plan.recommendations) {
    SetRecommendation(recommendation, *response.add_recommendations());
  }
  for (const planning::ParetoOption& option : plan.pareto_front) {
    v1::ParetoOption& proto = *response.add_pareto_front();
    proto.set_gpu_type(option.gpu_type);
    proto.set_gpu_count(option.gpu_count);
    SetLayout(option.layout, *proto.mutable_layout());
    *proto.mutable_step_duration() = DurationToProto(option.step_duration);
    *proto.mutable_total_duration() = DurationToProto(option.total_duration);
    proto.set_gpu_hours(option.gpu_hours);
    proto.set_cost(option.cost);
    proto.set_currency(option.currency);
    proto.set_cluster(option.cluster);
    proto.set_node_pool(option.node_pool);
  }
  SetReasonsAndProvenance(plan, response);
  return response;
}

}  // namespace planner::convert
