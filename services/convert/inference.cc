#include "services/convert/inference.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "services/convert/provenance.h"
#include "services/convert/time.h"

namespace planner::convert {
namespace {

int64_t Whole(double bytes) { return std::llround(std::clamp(bytes, 0.0, 9e18)); }

google::protobuf::Duration Seconds(double seconds) { return DurationToProto(absl::Seconds(seconds)); }

void SetMemory(const planning::InferenceOption& option, v1::InferenceMemory& proto) {
  proto.set_total_bytes(Whole(option.memory.total()));
  proto.set_capacity_bytes(option.capacity_bytes);
  proto.set_weight_bytes(Whole(option.memory.weights));
  proto.set_cache_bytes(Whole(option.memory.cache));
  proto.set_activation_bytes(Whole(option.memory.activations));
  proto.set_overhead_bytes(Whole(option.memory.overhead));
}

v1::InferenceOption Option(const planning::InferenceOption& option) {
  const auto cards = static_cast<double>(option.gpu_count);
  v1::InferenceOption proto;
  proto.set_gpu_type(option.gpu_type);
  proto.set_gpu_count(option.gpu_count);
  SetMemory(option, *proto.mutable_memory_per_gpu());
  proto.set_cache_bytes_per_token(Whole(option.cache_bytes_per_token));
  proto.set_state_bytes_per_sequence(Whole(option.state_bytes_per_sequence));
  proto.set_batch(option.batch);
  proto.set_max_batch(option.max_batch);
  *proto.mutable_prefill_duration() = Seconds(option.prefill_seconds);
  *proto.mutable_decode_step_duration() = Seconds(option.decode.total());
  for (const perf::DecodeTerm& term : perf::DecodeTerms()) {
    if (!(option.decode.*term.seconds > 0)) continue;
    v1::StepTerm& one = *proto.add_decode_terms();
    one.set_name(std::string(term.name));
    *one.mutable_duration() = Seconds(option.decode.*term.seconds);
  }
  proto.set_tokens_per_second(option.tokens_per_second);
  proto.set_tokens_per_second_per_gpu(option.tokens_per_second / cards);
  *proto.mutable_max_batch_decode_step_duration() = Seconds(option.max_batch_decode.total());
  proto.set_max_batch_tokens_per_second(option.max_batch_tokens_per_second);
  proto.set_max_batch_tokens_per_second_per_gpu(option.max_batch_tokens_per_second / cards);
  proto.set_limited_by(option.limited_by);
  proto.set_cost_per_million_tokens(option.cost_per_million_tokens);
  proto.set_currency(option.currency);
  proto.set_cluster(option.cluster);
  proto.set_node_pool(option.node_pool);
  proto.mutable_explanation()->Assign(option.explanation.begin(), option.explanation.end());
  return proto;
}

/// Of a message of the request, what has a meaning for a served model.
using Names = std::set<std::string_view>;

/// The paths of the fields of `message` that are set and not among `used`.
void AddUnused(const std::string& at, const google::protobuf::Message& message, const Names& used,
               std::vector<std::string>& unused) {
  std::vector<const google::protobuf::FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const google::protobuf::FieldDescriptor* field : set) {
    if (!used.contains(field->name())) unused.push_back(at + "." + field->name());
  }
}

}  // namespace

std::vector<std::string> InferenceWarnings(const v1::EstimateRequest& request) {
  std::vector<std::string> unused;
  if (request.goal() != v1::EstimateRequest::GOAL_UNSPECIFIED) unused.emplace_back("goal");
  AddUnused("data_set", request.data_set(), {}, unused);
  AddUnused("training", request.training(), {"precision"}, unused);
  AddUnused("layout", request.layout(), {"tensor_parallel"}, unused);
  AddUnused("resources", request.resources(), {"gpu_types", "min_gpus", "max_gpus", "cluster", "price_per_gpu_hour"},
            unused);
  AddUnused("utilization", request.utilization(), {}, unused);
  if (unused.empty()) return {};
  return {fmt::format("{} {} ignored: a served model is not trained", fmt::join(unused, ", "),
                      unused.size() == 1 ? "is" : "are")};
}

planning::InferenceJob InferenceJobFromProto(const v1::EstimateRequest& request, model::ModelDescription model) {
  planning::InferenceJob job;
  job.model = std::move(model);
  const v1::Inference& inference = request.inference();
  if (inference.has_prompt_length()) job.prompt = inference.prompt_length();
  if (inference.has_output_length()) job.output = inference.output_length();
  if (inference.has_batch()) job.batch = inference.batch();
  job.cache_precision = inference.cache_precision();
  job.precision = request.training().precision();
  if (request.layout().has_tensor_parallel()) job.tensor_parallel = request.layout().tensor_parallel();
  if (request.resources().has_min_gpus()) job.min_gpus = request.resources().min_gpus();
  if (request.resources().has_max_gpus()) job.max_gpus = request.resources().max_gpus();
  return job;
}

v1::EstimateResponse InferencePlanToProto(const planning::InferencePlan& plan) {
  v1::EstimateResponse response;
  response.set_model_flops(plan.prompt_flops);
  response.set_hardware_flops(plan.prompt_flops);
  response.set_parameter_count(plan.parameters);
  response.set_active_parameter_count(plan.active_parameters);
  for (const planning::InferenceOption& option : plan.options) *response.add_inference() = Option(option);
  SetReasonsAndProvenance(plan, response);
  return response;
}

}  // namespace planner::convert
