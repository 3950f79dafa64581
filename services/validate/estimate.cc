#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/base/status_macros.h"
#include "core/hardware/precision.h"
#include "fmt/format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

constexpr int kMaxInputs = 64;
constexpr int kMaxDimensions = 16;
constexpr int kMaxGpuTypes = 100;
/// google.protobuf.Duration's own limit: about 10,000 years.
constexpr int64_t kMaxSeconds = 315'576'000'000;
constexpr int64_t kNanosPerSecond = 1'000'000'000;
/// 0001-01-01 and 9999-12-31T23:59:59Z: google.protobuf.Timestamp's limits.
constexpr int64_t kMinTimestamp = -62'135'596'800;
constexpr int64_t kMaxTimestamp = 253'402'300'799;

absl::Status Digest(const std::string& field, const std::string& sha256) {
  if (base::Sha256::IsDigest(sha256)) return absl::OkStatus();
  return base::InvalidField(field,
                            fmt::format("must be 64 lower case hexadecimal digits: it has {} bytes", sha256.size()));
}

/// Element types of a loaded module's inputs, by PyTorch's names.
constexpr std::array<std::string_view, 10> kElementTypes = {"float32", "float64", "float16", "bfloat16", "int64",
                                                            "int32",   "int16",   "int8",    "uint8",    "bool"};

/// And by the short names that people write.
constexpr std::array<std::string_view, 10> kElementTypeSynonyms = {"fp32", "float", "fp64", "double", "fp16",
                                                                   "half", "bf16",  "long", "int",    "short"};

absl::Status ElementType(const std::string& field, const std::string& dtype) {
  const auto is_one_of = [&dtype](const auto& names) { return std::find(names.begin(), names.end(), dtype) != names.end(); };
  if (dtype.empty() || is_one_of(kElementTypes) || is_one_of(kElementTypeSynonyms)) return absl::OkStatus();
  std::string known;
  for (const std::string_view one : kElementTypes) known += fmt::format("{}{}", known.empty() ? "" : ", ", one);
  return base::InvalidField(field, fmt::format("is none of {}: dtype=\"{}\"", known, dtype), "UNKNOWN_ELEMENT_TYPE");
}

absl::Status ValidateModel(const v1::Model& model) {
  RETURN_IF_ERROR(Text("model.assume_architecture", model.assume_architecture(), kMaxNameBytes));
  RETURN_IF_ERROR(Text("model.display_name", model.display_name(), kMaxNameBytes));
  switch (model.description_case()) {
    case v1::Model::kPreset:
      if (model.preset().empty()) return base::InvalidField("model.preset", "is empty");
      return Text("model.preset", model.preset(), kMaxNameBytes);
    case v1::Model::kHuggingFaceConfig:
      if (model.hugging_face_config().size() <= kMaxConfigBytes) return absl::OkStatus();
      return base::InvalidField(
          "model.hugging_face_config",
          fmt::format("must be at most {} bytes: it has {}", kMaxConfigBytes, model.hugging_face_config().size()),
          "TOO_LARGE");
    case v1::Model::kLayerGraph:
      return absl::OkStatus();  // Checked when it is described, with the layers' own paths.
    case v1::Model::kUploadedFile:
      return Digest("model.uploaded_file.sha256", model.uploaded_file().sha256());
    case v1::Model::DESCRIPTION_NOT_SET:
      break;
  }
  return base::InvalidField("model", "is missing: give preset, hugging_face_config, layer_graph or uploaded_file");
}

absl::Status ValidateInputs(const std::string& field,
                            const google::protobuf::RepeatedPtrField<v1::TensorShape>& inputs) {
  if (inputs.size() > kMaxInputs) {
    return base::InvalidField(field, fmt::format("must be at most {}: inputs={}", kMaxInputs, inputs.size()));
  }
  std::set<std::string_view> names;
  for (int i = 0; i < inputs.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", field, i);
    RETURN_IF_ERROR(Text(at + ".dtype", inputs[i].dtype(), kMaxNameBytes));
    RETURN_IF_ERROR(ElementType(at + ".dtype", inputs[i].dtype()));
    RETURN_IF_ERROR(Text(at + ".name", inputs[i].name(), kMaxNameBytes));
    if (!inputs[i].name().empty() && !names.insert(inputs[i].name()).second) {
      return base::InvalidField(at + ".name", fmt::format("is given twice: name=\"{}\"", inputs[i].name()));
    }
    RETURN_IF_ERROR(Between(at + ".dimensions", inputs[i].dimensions_size(), 1, kMaxDimensions));
    for (int j = 0; j < inputs[i].dimensions_size(); ++j) {
      RETURN_IF_ERROR(Between(fmt::format("{}.dimensions[{}]", at, j), inputs[i].dimensions(j), 1, kMaxSize));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateDataSet(const v1::DataSet& data) {
  if (data.has_token_count() && data.has_sample_count()) {
    return base::InvalidField("data_set",
                              fmt::format("takes token_count or sample_count, not both: token_count={} sample_count={}",
                                          data.token_count(), data.sample_count()));
  }
  if (data.has_token_count()) RETURN_IF_ERROR(AboveZero("data_set.token_count", data.token_count(), kMaxCount));
  if (data.has_sample_count()) RETURN_IF_ERROR(AboveZero("data_set.sample_count", data.sample_count(), kMaxCount));
  if (data.has_epoch_count()) RETURN_IF_ERROR(AboveZero("data_set.epoch_count", data.epoch_count(), 1e6));
  if (data.has_seq_len()) RETURN_IF_ERROR(Between("data_set.seq_len", data.seq_len(), 1, kMaxSize));
  return ValidateInputs("data_set.inputs", data.inputs());
}

absl::Status ValidateTraining(const v1::Training& training) {
  if (training.has_global_batch()) {
    RETURN_IF_ERROR(Between("training.global_batch", training.global_batch(), 1, kMaxSize));
  }
  if (!training.precision().empty()) {
    RETURN_IF_ERROR(Text("training.precision", training.precision(), kMaxNameBytes));
    RETURN_IF_ERROR(base::AtField("training", hardware::FindPrecision(training.precision()).status()));
  }
  if (!training.optimizer().empty()) {
    RETURN_IF_ERROR(Text("training.optimizer", training.optimizer(), kMaxNameBytes));
    RETURN_IF_ERROR(base::AtField("training", hardware::FindOptimizer(training.optimizer()).status()));
  }
  RETURN_IF_ERROR(
      KnownEnum("training.recompute", training.recompute(), v1::Training::Recompute_IsValid(training.recompute())));
  RETURN_IF_ERROR(
      KnownEnum("training.finetune", training.finetune(), v1::Training::Finetune_IsValid(training.finetune())));
  RETURN_IF_ERROR(Text("training.framework", training.framework(), kMaxNameBytes));
  if (const std::string& attention = training.attention();
      !attention.empty() && attention != "flash" && attention != "eager") {
    return base::InvalidField("training.attention", fmt::format("must be flash or eager: attention=\"{}\"",
                                                                attention.substr(0, kMaxNameBytes)));
  }
  if (training.has_lora_rank()) RETURN_IF_ERROR(Between("training.lora_rank", training.lora_rank(), 1, kMaxDegree));
  return absl::OkStatus();
}

absl::Status ValidateLayout(const v1::LayoutConstraints& layout) {
  if (layout.has_tensor_parallel())
    RETURN_IF_ERROR(Between("layout.tensor_parallel", layout.tensor_parallel(), 1, kMaxDegree));
  if (layout.has_pipeline_parallel()) {
    RETURN_IF_ERROR(Between("layout.pipeline_parallel", layout.pipeline_parallel(), 1, kMaxDegree));
  }
  if (layout.has_virtual_pipeline())
    RETURN_IF_ERROR(Between("layout.virtual_pipeline", layout.virtual_pipeline(), 1, kMaxDegree));
  if (layout.has_data_parallel())
    RETURN_IF_ERROR(Between("layout.data_parallel", layout.data_parallel(), 1, kMaxDegree));
  if (layout.has_context_parallel())
    RETURN_IF_ERROR(Between("layout.context_parallel", layout.context_parallel(), 1, kMaxDegree));
  if (layout.has_expert_parallel())
    RETURN_IF_ERROR(Between("layout.expert_parallel", layout.expert_parallel(), 1, kMaxDegree));
  if (layout.has_micro_batch_size())
    RETURN_IF_ERROR(Between("layout.micro_batch_size", layout.micro_batch_size(), 1, kMaxDegree));
  if (layout.has_zero_stage()) RETURN_IF_ERROR(Between("layout.zero_stage", layout.zero_stage(), 0, 3));
  if (layout.has_shard_group()) RETURN_IF_ERROR(Between("layout.shard_group", layout.shard_group(), 2, kMaxDegree));
  return absl::OkStatus();
}

absl::Status ValidateDeadline(const v1::Resources& resources) {
  if (resources.has_deadline_duration()) {
    const google::protobuf::Duration& duration = resources.deadline_duration();
    RETURN_IF_ERROR(Between("resources.deadline_duration.nanos", duration.nanos(), 0, kNanosPerSecond - 1));
    const bool nothing = duration.seconds() == 0 && duration.nanos() == 0;
    return Between("resources.deadline_duration.seconds", duration.seconds(), nothing ? 1 : 0, kMaxSeconds);
  }
  if (resources.has_deadline_time()) {
    const google::protobuf::Timestamp& time = resources.deadline_time();
    RETURN_IF_ERROR(Between("resources.deadline_time.nanos", time.nanos(), 0, kNanosPerSecond - 1));
    return Between("resources.deadline_time.seconds", time.seconds(), kMinTimestamp, kMaxTimestamp);
  }
  return absl::OkStatus();
}

absl::Status ValidateResources(const v1::Resources& resources) {
  RETURN_IF_ERROR(Between("resources.gpu_types", resources.gpu_types_size(), 0, kMaxGpuTypes));
  for (int i = 0; i < resources.gpu_types_size(); ++i) {
    const std::string field = fmt::format("resources.gpu_types[{}]", i);
    if (resources.gpu_types(i).empty()) return base::InvalidField(field, "is empty");
    RETURN_IF_ERROR(Text(field, resources.gpu_types(i), kMaxNameBytes));
  }
  if (resources.has_min_gpus()) RETURN_IF_ERROR(Between("resources.min_gpus", resources.min_gpus(), 1, kMaxGpus));
  if (resources.has_max_gpus()) RETURN_IF_ERROR(Between("resources.max_gpus", resources.max_gpus(), 1, kMaxGpus));
  if (resources.has_min_gpus() && resources.has_max_gpus() && resources.min_gpus() > resources.max_gpus()) {
    return base::InvalidField("resources.min_gpus", fmt::format("must not exceed max_gpus: min_gpus={} max_gpus={}",
                                                                resources.min_gpus(), resources.max_gpus()));
  }
  if (!resources.cluster().empty()) RETURN_IF_ERROR(ClusterId("resources.cluster", resources.cluster()).status());
  if (resources.has_budget()) RETURN_IF_ERROR(AboveZero("resources.budget", resources.budget(), kMaxCount));
  if (resources.has_price_per_gpu_hour()) {
    RETURN_IF_ERROR(NotNegative("resources.price_per_gpu_hour", resources.price_per_gpu_hour(), 1e6));
  }
  if (resources.has_earliest_start_time()) {
    RETURN_IF_ERROR(Time("resources.earliest_start_time", resources.earliest_start_time()));
  }
  if (!resources.tenant().empty()) RETURN_IF_ERROR(ClusterId("resources.tenant", resources.tenant()).status());
  return ValidateDeadline(resources);
}

absl::Status ValidateInference(const v1::Inference& inference) {
  if (inference.has_prompt_length()) {
    RETURN_IF_ERROR(Between("inference.prompt_length", inference.prompt_length(), 1, kMaxSize));
  }
  if (inference.has_output_length()) {
    RETURN_IF_ERROR(Between("inference.output_length", inference.output_length(), 1, kMaxSize));
  }
  if (inference.has_batch()) RETURN_IF_ERROR(Between("inference.batch", inference.batch(), 1, kMaxSize));
  if (inference.cache_precision().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(Text("inference.cache_precision", inference.cache_precision(), kMaxNameBytes));
  return base::WithField("inference.cache_precision", hardware::FindPrecision(inference.cache_precision()).status());
}

absl::Status ValidateUtilization(const v1::Utilization& utilization) {
  switch (utilization.kind_case()) {
    case v1::Utilization::kHardwareFlopsRatio:
      return AboveZero("utilization.hardware_flops_ratio", utilization.hardware_flops_ratio(), 1);
    case v1::Utilization::kModelFlopsRatio:
      return AboveZero("utilization.model_flops_ratio", utilization.model_flops_ratio(), 1);
    case v1::Utilization::KIND_NOT_SET:
      break;
  }
  return base::InvalidField("utilization", "names no ratio: give hardware_flops_ratio or model_flops_ratio");
}

absl::Status ValidateHold(const v1::CreatePlanRequest& request) {
  constexpr int64_t kMaxHoldSeconds = 365 * 86400;
  if (request.hold().has_expires_in()) {
    const google::protobuf::Duration& expires_in = request.hold().expires_in();
    RETURN_IF_ERROR(Between("hold.expires_in.nanos", expires_in.nanos(), 0, kNanosPerSecond - 1));
    RETURN_IF_ERROR(Between("hold.expires_in.seconds", expires_in.seconds(), 1, kMaxHoldSeconds));
  }
  const v1::DataSet& data = request.plan().request().data_set();
  if (data.has_token_count() || data.has_sample_count()) return absl::OkStatus();
  return base::InvalidField("hold", "needs the amount of data, token_count or sample_count: else there is no end to hold cards to");
}

}  // namespace

absl::Status Validate(const v1::EstimateRequest& request) {
  RETURN_IF_ERROR(ValidateModel(request.model()));
  RETURN_IF_ERROR(ValidateDataSet(request.data_set()));
  RETURN_IF_ERROR(ValidateTraining(request.training()));
  RETURN_IF_ERROR(ValidateLayout(request.layout()));
  RETURN_IF_ERROR(ValidateResources(request.resources()));
  RETURN_IF_ERROR(KnownEnum("goal", request.goal(), v1::EstimateRequest::Goal_IsValid(request.goal())));
  if (request.has_inference()) RETURN_IF_ERROR(ValidateInference(request.inference()));
  return request.has_utilization() ? ValidateUtilization(request.utilization()) : absl::OkStatus();
}

absl::Status Validate(const v1::CountRequest& request) {
  RETURN_IF_ERROR(ValidateModel(request.model()));
  const v1::BatchShape& shape = request.batch_shape();
  if (shape.has_batch()) RETURN_IF_ERROR(Between("batch_shape.batch", shape.batch(), 1, kMaxSize));
  if (shape.has_seq_len()) RETURN_IF_ERROR(Between("batch_shape.seq_len", shape.seq_len(), 1, kMaxSize));
  RETURN_IF_ERROR(ValidateInputs("batch_shape.inputs", shape.inputs()));
  RETURN_IF_ERROR(KnownEnum("mode", request.mode(), v1::CountRequest::Mode_IsValid(request.mode())));
  RETURN_IF_ERROR(Text("counter", request.counter(), kMaxNameBytes));
  if (request.has_depth()) RETURN_IF_ERROR(Between("depth", request.depth(), 0, kMaxSize));
  if (request.precision().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(Text("precision", request.precision(), kMaxNameBytes));
  return hardware::FindPrecision(request.precision()).status();
}

absl::Status Validate(const v1::UploadModelRequest& request) {
  switch (request.part_case()) {
    case v1::UploadModelRequest::kAnnouncement:
      RETURN_IF_ERROR(
          AboveZero("announcement.size_bytes", static_cast<double>(request.announcement().size_bytes()), kMaxCount));
      return Digest("announcement.sha256", request.announcement().sha256());
    case v1::UploadModelRequest::kData:
      if (request.data().size() <= kMaxChunkBytes) return absl::OkStatus();
      return base::InvalidField(
          "data", fmt::format("must be at most {} bytes a message: it has {}", kMaxChunkBytes, request.data().size()),
          "TOO_LARGE");
    case v1::UploadModelRequest::PART_NOT_SET:
      break;
  }
  return base::InvalidField("announcement", "is missing");
}

absl::Status Validate(const v1::CreatePlanRequest& request) {
  constexpr size_t kMaxDescriptionBytes = 1000;
  constexpr size_t kMaxRequestIdBytes = 128;
  RETURN_IF_ERROR(Text("request_id", request.request_id(), kMaxRequestIdBytes));
  if (!request.has_plan()) return base::InvalidField("plan", "is missing");
  RETURN_IF_ERROR(Text("plan.description", request.plan().description(), kMaxDescriptionBytes));
  if (request.plan().request().has_inference()) {
    return base::InvalidField("plan.request.inference", "cannot be planned on the calendar: only trainings are");
  }
  if (request.has_hold()) RETURN_IF_ERROR(ValidateHold(request));
  return base::AtField("plan.request", Validate(request.plan().request()));
}

}  // namespace planner::validate
