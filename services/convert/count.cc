#include "services/convert/count.h"

#include <algorithm>
#include <limits>

#include "core/hardware/precision.h"

namespace planner::convert {
namespace {

void SetWork(const counting::Work& work, v1::Work& proto) {
  proto.set_macs(work.macs);
  proto.set_causal_macs(work.causal_macs);
  proto.set_flops(work.flops());
  proto.set_other_flops(work.other_flops);
}

v1::CountProvenance::Backward BackwardToProto(counting::BackwardSource source) {
  return source == counting::BackwardSource::kCounted ? v1::CountProvenance::COUNTED : v1::CountProvenance::DERIVED;
}

void AddModules(const counting::CostReport& report, int depth, v1::CountResponse& response) {
  for (const counting::ModuleCost& module : report.modules) {
    if (module.depth > depth) continue;
    v1::ModuleCount& proto = *response.add_modules();
    proto.set_path(module.path);
    proto.set_kind(module.kind);
    proto.set_instance_count(module.instances);
    proto.set_parameter_count(module.parameters);
    SetWork(module.forward, *proto.mutable_forward());
    SetWork(module.backward, *proto.mutable_backward());
    proto.set_activation_bytes(module.activation_bytes);
  }
}

void AddOperators(const counting::CostReport& report, v1::CountResponse& response) {
  for (const counting::OperatorCost& cost : report.operators) {
    v1::OperatorCount& proto = *response.add_operators();
    proto.set_kind(cost.kind);
    proto.set_call_count(cost.call_count);
    SetWork(cost.forward, *proto.mutable_forward());
    SetWork(cost.backward, *proto.mutable_backward());
  }
  for (const counting::UncountedOperator& missing : report.uncounted_operators) {
    v1::UncountedOperator& proto = *response.add_uncounted_operators();
    proto.set_kind(missing.kind);
    proto.set_call_count(missing.call_count);
  }
}

}  // namespace

model::BatchShape BatchShapeFromProto(const v1::BatchShape& proto, const model::ModelDescription& model) {
  model::BatchShape shape;
  shape.batch = proto.has_batch() ? proto.batch() : model.default_batch;
  if (proto.has_seq_len()) shape.seq_len = proto.seq_len();
  shape.inputs = InputsFromProto(proto.inputs());
  return shape;
}

void LeaveOutOfProto(const model::ModelDescription& model, const model::BatchShape& counted, v1::BatchShape& proto) {
  if (model.kind == model::ModelKind::kModule && !counted.inputs.empty()) {
    proto.clear_batch();
    proto.clear_seq_len();
  }
  if (!counted.seq_len.has_value()) proto.clear_seq_len();
  const int kept = std::min(proto.inputs_size(), static_cast<int>(counted.inputs.size()));
  proto.mutable_inputs()->DeleteSubrange(kept, proto.inputs_size() - kept);
  for (int i = 0; i < kept; ++i) proto.mutable_inputs(i)->set_name(counted.inputs[static_cast<size_t>(i)].name);
}

std::vector<model::TensorInput> InputsFromProto(const google::protobuf::RepeatedPtrField<v1::TensorShape>& inputs) {
  std::vector<model::TensorInput> shapes;
  for (const v1::TensorShape& input : inputs) {
    model::TensorInput& shape = shapes.emplace_back();
    shape.sizes = {input.dimensions().begin(), input.dimensions().end()};
    shape.dtype = input.dtype();
    shape.name = input.name();
  }
  return shapes;
}

counting::Mode ModeFromProto(v1::CountRequest::Mode mode) {
  return mode == v1::CountRequest::INFERENCE ? counting::Mode::kInference : counting::Mode::kTraining;
}

int ActivationBytes(const std::string& precision) {
  constexpr int kBf16Bytes = 2;
  if (precision.empty()) return kBf16Bytes;
  const auto found = hardware::FindPrecision(precision);
  // Types that are only for stored weights are computed in bf16.
  return found.ok() && (*found)->activation_bytes > 0 ? static_cast<int>((*found)->activation_bytes) : kBf16Bytes;
}

std::string_view FormatName(model::SourceFormat format) {
  switch (format) {
    case model::SourceFormat::kHuggingFaceConfig:
      return "hugging_face_config";
    case model::SourceFormat::kLayerGraph:
      return "layer_graph";
    case model::SourceFormat::kTorchScript:
      return "torchscript";
  }
  return "";
}

v1::CountResponse CountToProto(const counting::CostReport& report, const v1::CountRequest& request) {
  v1::CountResponse response;
  response.set_parameter_count(report.parameters);
  response.set_active_parameter_count(report.active_parameters);
  response.set_stored_parameter_count(report.stored_parameters);
  response.set_non_embedding_parameter_count(report.non_embedding_parameters);
  SetWork(report.forward, *response.mutable_forward());
  SetWork(report.backward, *response.mutable_backward());
  response.set_activation_bytes(report.activation_bytes);
  response.set_peak_live_bytes(report.peak_live_bytes);
  response.set_accessed_bytes(report.accessed_bytes);
  AddModules(report, request.has_depth() ? request.depth() : std::numeric_limits<int>::max(), response);
  AddOperators(report, response);
  response.mutable_warnings()->Assign(report.warnings.begin(), report.warnings.end());
  response.mutable_provenance()->set_counter(report.counter);
  response.mutable_provenance()->set_counter_version(report.counter_version);
  response.mutable_provenance()->set_backward(BackwardToProto(report.backward_source));
  response.mutable_provenance()->set_cached(report.cached);
  *response.mutable_batch_shape() = request.batch_shape();
  return response;
}

v1::CounterInfo CounterToProto(const counting::CounterInfo& info) {
  v1::CounterInfo proto;
  proto.set_name(info.name);
  proto.set_version(info.version);
  proto.set_description(info.description);
  proto.set_counts_backward(info.counts_backward);
  proto.set_up(info.up);
  proto.set_detail(info.detail);
  for (const model::SourceFormat format : info.formats) proto.add_formats(std::string(FormatName(format)));
  return proto;
}

}  // namespace planner::convert
