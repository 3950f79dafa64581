#include "plugins/analytic/answer.h"

#include "core/base/error.h"

namespace planner::plugin {
namespace {

void Set(const counting::Work& work, planner::v1::Work& proto) {
  proto.set_macs(work.macs);
  proto.set_causal_macs(work.causal_macs);
  proto.set_flops(work.flops());
  proto.set_other_flops(work.other_flops);
}

void Set(const counting::CostReport& report, v1::CountResponse& response) {
  v1::CountResult& result = *response.mutable_count();
  result.set_expert_parameter_count(report.expert_parameters);
  Set(report.block_forward, *result.mutable_block_forward());
  Set(report.attention_forward, *result.mutable_attention_forward());
  planner::v1::CountResponse& count = *result.mutable_count();
  count.set_parameter_count(report.parameters);
  count.set_active_parameter_count(report.active_parameters);
  count.set_stored_parameter_count(report.stored_parameters);
  count.set_non_embedding_parameter_count(report.non_embedding_parameters);
  Set(report.forward, *count.mutable_forward());
  Set(report.backward, *count.mutable_backward());
  count.set_activation_bytes(report.activation_bytes);
  count.set_peak_live_bytes(report.peak_live_bytes);
  count.set_accessed_bytes(report.accessed_bytes);
  for (const counting::ModuleCost& module : report.modules) {
    planner::v1::ModuleCount& row = *count.add_modules();
    row.set_path(module.path);
    row.set_kind(module.kind);
    row.set_instance_count(module.instances);
    row.set_parameter_count(module.parameters);
    Set(module.forward, *row.mutable_forward());
    Set(module.backward, *row.mutable_backward());
    row.set_activation_bytes(module.activation_bytes);
  }
  for (const counting::OperatorCost& cost : report.operators) {
    planner::v1::OperatorCount& row = *count.add_operators();
    row.set_kind(cost.kind);
    row.set_call_count(cost.call_count);
    Set(cost.forward, *row.mutable_forward());
    Set(cost.backward, *row.mutable_backward());
  }
  for (const counting::UncountedOperator& missing : report.uncounted_operators) {
    planner::v1::UncountedOperator& row = *count.add_uncounted_operators();
    row.set_kind(missing.kind);
    row.set_call_count(missing.call_count);
  }
  count.mutable_warnings()->Assign(report.warnings.begin(), report.warnings.end());
  count.mutable_provenance()->set_backward(report.backward_source == counting::BackwardSource::kCounted
                                               ? planner::v1::CountProvenance::COUNTED
                                               : planner::v1::CountProvenance::DERIVED);
}

/// 1 sample if the request names none.
model::BatchShape BatchShapeOf(const v1::CountRequest& request) {
  model::BatchShape shape;
  if (request.batch_shape().has_batch()) shape.batch = request.batch_shape().batch();
  if (request.batch_shape().has_seq_len()) shape.seq_len = request.batch_shape().seq_len();
  for (const planner::v1::TensorShape& input : request.batch_shape().inputs()) {
    model::TensorInput& one = shape.inputs.emplace_back();
    one.sizes.assign(input.dimensions().begin(), input.dimensions().end());
    one.dtype = input.dtype();
    one.name = input.name();
  }
  return shape;
}

}  // namespace

counting::CountRequest CoreRequest(const v1::CountRequest& request, const model::ModelDescription& model, absl::Time deadline) {
  constexpr int kBf16Bytes = 2;
  const int bytes = request.activation_element_bytes();
  const bool inference = request.mode() == planner::v1::CountRequest::INFERENCE;
  return {.model = model,
          .batch = BatchShapeOf(request),
          .mode = inference ? counting::Mode::kInference : counting::Mode::kTraining,
          .activation_element_bytes = bytes == 0 ? kBf16Bytes : bytes,
          .counter = "",
          .with_modules = request.with_modules(),
          .deadline = deadline};
}

v1::CountResponse Answer(const absl::StatusOr<counting::CostReport>& report) {
  v1::CountResponse response;
  if (report.ok()) {
    Set(*report, response);
    return response;
  }
  const base::ErrorDetail detail = base::DetailOf(report.status());
  v1::CountError& error = *response.mutable_error();
  error.set_code(static_cast<int>(report.status().code()));
  // The host puts the field before the text again.
  std::string message(report.status().message());
  if (const std::string prefix = detail.field + ": "; message.starts_with(prefix)) message.erase(0, prefix.size());
  error.set_message(message);
  error.set_field(detail.field);
  error.set_reason(detail.reason);
  return response;
}

}  // namespace planner::plugin
