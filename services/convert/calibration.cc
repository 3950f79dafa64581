#include "services/convert/calibration.h"

#include <string>

#include "services/convert/time.h"

namespace planner::convert {

v1::RunKind RunKindToProto(const calibration::Kind& kind) {
  v1::RunKind proto;
  proto.set_framework(kind.framework);
  proto.set_gpu_family(kind.family);
  proto.set_gpu_type(kind.gpu_type);
  proto.set_model_class(kind.model_class);
  proto.set_precision(kind.precision);
  proto.set_recompute(kind.recompute);
  proto.set_parameter_count(kind.parameters);
  proto.set_hidden_size(kind.hidden);
  proto.set_seq_len(kind.seq_len);
  proto.set_tensor_parallel(kind.tensor_parallel);
  proto.set_pipeline_parallel(kind.pipeline_parallel);
  proto.set_micro_batch_size(kind.micro_batch);
  proto.set_gpu_count(kind.gpus);
  return proto;
}

calibration::Kind RunKindFromProto(const v1::RunKind& proto) {
  return {.framework = proto.framework(),
          .family = proto.gpu_family(),
          .gpu_type = proto.gpu_type(),
          .model_class = proto.model_class(),
          .precision = proto.precision(),
          .recompute = proto.recompute(),
          .parameters = proto.parameter_count(),
          .hidden = proto.hidden_size(),
          .seq_len = proto.seq_len(),
          .tensor_parallel = proto.tensor_parallel(),
          .pipeline_parallel = proto.pipeline_parallel(),
          .micro_batch = proto.micro_batch_size(),
          .gpus = proto.gpu_count()};
}

v1::CalibrationInfo CalibrationToProto(const planning::Calibrated& calibrated) {
  v1::CalibrationInfo proto;
  proto.set_factor(calibrated.correction.factor);
  *proto.mutable_predicted_step_duration() = DurationToProto(calibrated.predicted_step_duration);
  proto.set_run_count(calibrated.correction.runs);
  if (calibrated.correction.level) proto.set_level(std::string(calibration::NameOf(*calibrated.correction.level)));
  *proto.mutable_kind() = RunKindToProto(calibrated.kind);
  return proto;
}

}  // namespace planner::convert
