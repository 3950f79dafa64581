#include "services/convert/job.h"

#include "services/convert/count.h"
#include "services/convert/time.h"

namespace planner::convert {
namespace {

planning::Goal GoalFromProto(v1::EstimateRequest::Goal goal) {
  switch (goal) {
    case v1::EstimateRequest::FASTEST:
      return planning::Goal::kFastest;
    case v1::EstimateRequest::CHEAPEST:
      return planning::Goal::kCheapest;
    case v1::EstimateRequest::FEWEST:
      return planning::Goal::kFewest;
    default:
      return planning::Goal::kUnspecified;
  }
}

planning::Finetune FinetuneFromProto(v1::Training::Finetune finetune) {
  switch (finetune) {
    case v1::Training::LORA:
      return planning::Finetune::kLora;
    case v1::Training::QLORA:
      return planning::Finetune::kQlora;
    default:
      return planning::Finetune::kFull;
  }
}

std::optional<parallel::Recompute> RecomputeFromProto(v1::Training::Recompute recompute) {
  switch (recompute) {
    case v1::Training::NONE:
      return parallel::Recompute::kNone;
    case v1::Training::SELECTIVE:
      return parallel::Recompute::kSelective;
    case v1::Training::FULL:
      return parallel::Recompute::kFull;
    default:
      return std::nullopt;
  }
}

parallel::LayoutConstraints LayoutFromProto(const v1::LayoutConstraints& proto) {
  parallel::LayoutConstraints layout;
  if (proto.has_data_parallel()) layout.data_parallel = proto.data_parallel();
  if (proto.has_tensor_parallel()) layout.tensor_parallel = proto.tensor_parallel();
  if (proto.has_pipeline_parallel()) layout.pipeline_parallel = proto.pipeline_parallel();
  if (proto.has_virtual_pipeline()) layout.virtual_pipeline = proto.virtual_pipeline();
  if (proto.has_context_parallel()) layout.context_parallel = proto.context_parallel();
  if (proto.has_expert_parallel()) layout.expert_parallel = proto.expert_parallel();
  if (proto.has_micro_batch_size()) layout.micro_batch_size = proto.micro_batch_size();
  if (proto.has_zero_stage()) layout.zero_stage = static_cast<int>(proto.zero_stage());
  if (proto.has_shard_group()) layout.shard_group = proto.shard_group();
  if (proto.has_sequence_parallel()) layout.sequence_parallel = proto.sequence_parallel();
  return layout;
}

void SetData(const v1::DataSet& proto, planning::JobSpec& job) {
  if (proto.has_token_count()) job.token_count = proto.token_count();
  if (proto.has_sample_count()) job.sample_count = proto.sample_count();
  if (proto.has_epoch_count()) job.epoch_count = proto.epoch_count();
  if (proto.has_seq_len()) job.seq_len = proto.seq_len();
  job.inputs = InputsFromProto(proto.inputs());
}

void SetTraining(const v1::Training& proto, planning::JobSpec& job) {
  if (proto.has_global_batch()) job.global_batch = proto.global_batch();
  job.precision = proto.precision();
  job.optimizer = proto.optimizer();
  job.finetune = FinetuneFromProto(proto.finetune());
  if (proto.has_lora_rank()) job.lora_rank = proto.lora_rank();
  job.framework = proto.framework();
  job.flash_attention = proto.attention() != "eager";
}

void SetLimits(const v1::Resources& proto, planning::JobSpec& job) {
  if (proto.has_min_gpus()) job.min_gpus = proto.min_gpus();
  if (proto.has_max_gpus()) job.max_gpus = proto.max_gpus();
  if (proto.has_deadline_duration()) job.deadline = DurationFromProto(proto.deadline_duration());
  if (proto.has_deadline_time()) job.deadline = TimeFromProto(proto.deadline_time());
  if (proto.has_budget()) job.budget = proto.budget();
  if (proto.has_earliest_start_time()) job.earliest_start = TimeFromProto(proto.earliest_start_time());
  job.tenant = proto.tenant();
}

}  // namespace

planning::JobSpec JobFromProto(const v1::EstimateRequest& request, model::ModelDescription model) {
  planning::JobSpec job;
  job.model = std::move(model);
  SetData(request.data_set(), job);
  SetTraining(request.training(), job);
  job.layout = LayoutFromProto(request.layout());
  job.layout.recompute = RecomputeFromProto(request.training().recompute());
  SetLimits(request.resources(), job);
  job.goal = GoalFromProto(request.goal());
  if (request.utilization().has_hardware_flops_ratio()) {
    job.hardware_flops_ratio = request.utilization().hardware_flops_ratio();
  }
  if (request.utilization().has_model_flops_ratio()) job.model_flops_ratio = request.utilization().model_flops_ratio();
  job.with_pareto_front = request.with_pareto_front();
  return job;
}

}  // namespace planner::convert
