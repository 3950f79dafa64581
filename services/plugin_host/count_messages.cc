#include "services/plugin_host/count_messages.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plugin_host {
namespace {

constexpr int64_t kMostMacs = int64_t{1} << 62;
constexpr int kMostRows = 500'000;
constexpr int kMostWarnings = 100;
constexpr size_t kLongestText = 2000;

absl::Status Lie(const std::string& what) {
  return base::WithReason(absl::InternalError("the plugin's answer cannot be true: " + what), "PLUGIN_LIES");
}

absl::Status NotNegative(std::string_view what, int64_t value) {
  if (value >= 0) return absl::OkStatus();
  return Lie(fmt::format("{} is negative: {}", what, value));
}

absl::Status AtMost(std::string_view what, int64_t part, std::string_view whole_name, int64_t whole) {
  RETURN_IF_ERROR(NotNegative(what, part));
  if (part <= whole) return absl::OkStatus();
  return Lie(fmt::format("{} is more than {}: {} > {}", what, whole_name, part, whole));
}

absl::StatusOr<counting::Work> WorkOf(std::string_view what, const planner::v1::Work& proto) {
  RETURN_IF_ERROR(NotNegative(what, proto.macs()));
  RETURN_IF_ERROR(NotNegative(what, proto.other_flops()));
  if (proto.macs() >= kMostMacs) return Lie(fmt::format("{} has 2^62 MACs or more: {}", what, proto.macs()));
  RETURN_IF_ERROR(AtMost(fmt::format("{}: causal_macs", what), proto.causal_macs(), "macs", proto.macs()));
  // A plugin may leave them out; what it says must be so.
  if (proto.flops() != 0 && proto.flops() != 2 * proto.macs()) {
    return Lie(fmt::format("{}: flops are not 2 x macs: {} and {}", what, proto.flops(), proto.macs()));
  }
  return counting::Work{proto.macs(), proto.causal_macs(), proto.other_flops()};
}

absl::Status Equal(const std::string& what, base::Checked sum, int64_t total) {
  if (!sum.overflowed() && sum.ValueOrZero() == total) return absl::OkStatus();
  return Lie(fmt::format("{} do not add up: {} of {}", what, sum.overflowed() ? "more than 2^63" : std::to_string(sum.ValueOrZero()), total));
}

std::string Text(const std::string& text) { return text.substr(0, kLongestText); }

int DepthOf(const std::string& path) {
  return path.empty() ? 0 : 1 + static_cast<int>(std::count(path.begin(), path.end(), '.'));
}

/// Whether `path` lies below `parent`.
bool Below(const std::string& path, const std::string& parent) {
  return parent.empty() ? !path.empty()
                        : path.size() > parent.size() && path.starts_with(parent) && path[parent.size()] == '.';
}

/// Children against their parents, on the way through the tree, depth first.
class Tree {
 public:
  absl::Status Add(const counting::ModuleCost& module) {
    while (!open_.empty() && !Below(module.path, open_.back().module->path)) RETURN_IF_ERROR(CloseLast());
    if (open_.empty()) {
      if (!module.path.empty()) return Lie(fmt::format("the first module is not the model: \"{}\"", Text(module.path)));
      if (seen_root_) return Lie("the model itself is there twice");
      seen_root_ = true;
    } else {
      Open& parent = open_.back();
      parent.macs += module.forward.macs;
      parent.other_flops += module.forward.other_flops;
      parent.backward_macs += module.backward.macs;
      RETURN_IF_ERROR(AtMost(fmt::format("\"{}\": parameter_count", Text(module.path)), module.parameters,
                             fmt::format("that of \"{}\"", Text(parent.module->path)), parent.module->parameters));
    }
    open_.push_back({&module, 0, 0, 0});
    return absl::OkStatus();
  }
  absl::Status Finish() {
    while (!open_.empty()) RETURN_IF_ERROR(CloseLast());
    return absl::OkStatus();
  }

 private:
  struct Open {
    const counting::ModuleCost* module = nullptr;
    base::Checked macs;
    base::Checked other_flops;
    base::Checked backward_macs;
  };
  absl::Status CloseLast() {
    const Open last = open_.back();
    open_.pop_back();
    const auto within = [](base::Checked sum, int64_t whole) { return !sum.overflowed() && sum.ValueOrZero() <= whole; };
    if (within(last.macs, last.module->forward.macs) && within(last.other_flops, last.module->forward.other_flops) &&
        within(last.backward_macs, last.module->backward.macs)) {
      return absl::OkStatus();
    }
    return Lie(fmt::format("the modules within \"{}\" do more work than it does as a whole", Text(last.module->path)));
  }
  std::vector<Open> open_;
  bool seen_root_ = false;
};

absl::Status SetTotals(const plugin_v1::CountResult& result, const counting::CountRequest& request, counting::CostReport& report) {
  const planner::v1::CountResponse& count = result.count();
  RETURN_IF_ERROR(NotNegative("parameter_count", count.parameter_count()));
  RETURN_IF_ERROR(NotNegative("stored_parameter_count", count.stored_parameter_count()));
  RETURN_IF_ERROR(NotNegative("activation_bytes", count.activation_bytes()));
  RETURN_IF_ERROR(NotNegative("peak_live_bytes", count.peak_live_bytes()));
  const auto part = [&](std::string_view what, int64_t value) { return AtMost(what, value, "parameter_count", count.parameter_count()); };
  RETURN_IF_ERROR(part("active_parameter_count", count.active_parameter_count()));
  RETURN_IF_ERROR(part("non_embedding_parameter_count", count.non_embedding_parameter_count()));
  RETURN_IF_ERROR(part("expert_parameter_count", result.expert_parameter_count()));
  if (!(count.accessed_bytes() >= 0) || !std::isfinite(count.accessed_bytes())) return Lie("accessed_bytes is no number of bytes");
  report.parameters = count.parameter_count();
  report.active_parameters = count.active_parameter_count();
  report.stored_parameters = count.stored_parameter_count();
  report.non_embedding_parameters = count.non_embedding_parameter_count();
  report.expert_parameters = result.expert_parameter_count();
  report.activation_bytes = count.activation_bytes();
  report.peak_live_bytes = count.peak_live_bytes();
  report.accessed_bytes = count.accessed_bytes();
  ASSIGN_OR_RETURN(report.forward, WorkOf("forward", count.forward()));
  ASSIGN_OR_RETURN(report.backward, WorkOf("backward", count.backward()));
  ASSIGN_OR_RETURN(report.block_forward, WorkOf("block_forward", result.block_forward()));
  ASSIGN_OR_RETURN(report.attention_forward, WorkOf("attention_forward", result.attention_forward()));
  RETURN_IF_ERROR(AtMost("block_forward", report.block_forward.macs, "forward", report.forward.macs));
  RETURN_IF_ERROR(AtMost("attention_forward", report.attention_forward.macs, "forward", report.forward.macs));
  if (request.mode == counting::Mode::kInference && report.backward != counting::Work{}) {
    return Lie("it has a backward pass in inference");
  }
  return absl::OkStatus();
}

absl::Status SetModules(const planner::v1::CountResponse& count, counting::CostReport& report) {
  if (count.modules_size() > kMostRows) return Lie(fmt::format("it has more than {} modules", kMostRows));
  report.modules.reserve(static_cast<size_t>(count.modules_size()));
  Tree tree;
  for (const planner::v1::ModuleCount& row : count.modules()) {
    counting::ModuleCost& module = report.modules.emplace_back();
    if (row.path().size() > kLongestText || row.kind().size() > kLongestText) return Lie("a module's path or kind is too long");
    module.path = row.path();
    module.kind = row.kind();
    module.depth = DepthOf(module.path);
    module.instances = row.instance_count();
    module.parameters = row.parameter_count();
    module.activation_bytes = row.activation_bytes();
    RETURN_IF_ERROR(NotNegative("instance_count", module.instances));
    RETURN_IF_ERROR(NotNegative("parameter_count", module.parameters));
    RETURN_IF_ERROR(NotNegative("activation_bytes", module.activation_bytes));
    ASSIGN_OR_RETURN(module.forward, WorkOf(module.path, row.forward()));
    ASSIGN_OR_RETURN(module.backward, WorkOf(module.path, row.backward()));
    RETURN_IF_ERROR(tree.Add(module));
  }
  RETURN_IF_ERROR(tree.Finish());
  if (report.modules.empty()) return absl::OkStatus();
  const counting::ModuleCost& model = report.modules.front();
  if (model.forward == report.forward && model.backward == report.backward && model.parameters == report.parameters) {
    return absl::OkStatus();
  }
  return Lie("the tree of modules is not the whole");
}

absl::Status SetOperators(const planner::v1::CountResponse& count, counting::CostReport& report) {
  if (count.operators_size() > kMostRows || count.uncounted_operators_size() > kMostRows) return Lie("it has too many operators");
  base::Checked macs, other_flops, backward_macs;
  for (const planner::v1::OperatorCount& row : count.operators()) {
    counting::OperatorCost& cost = report.operators.emplace_back();
    cost.kind = Text(row.kind());
    cost.call_count = row.call_count();
    RETURN_IF_ERROR(NotNegative("call_count", cost.call_count));
    ASSIGN_OR_RETURN(cost.forward, WorkOf(cost.kind, row.forward()));
    ASSIGN_OR_RETURN(cost.backward, WorkOf(cost.kind, row.backward()));
    macs += cost.forward.macs;
    other_flops += cost.forward.other_flops;
    backward_macs += cost.backward.macs;
  }
  RETURN_IF_ERROR(Equal("the operators' MACs", macs, report.forward.macs));
  RETURN_IF_ERROR(Equal("the operators' other FLOPs", other_flops, report.forward.other_flops));
  RETURN_IF_ERROR(Equal("the operators' backward MACs", backward_macs, report.backward.macs));
  for (const planner::v1::UncountedOperator& row : count.uncounted_operators()) {
    RETURN_IF_ERROR(NotNegative("call_count", row.call_count()));
    report.uncounted_operators.push_back({Text(row.kind()), row.call_count()});
  }
  return absl::OkStatus();
}

}  // namespace

std::string DigestOf(const model::ModelSource& source) {
  if (source.format == model::SourceFormat::kTorchScript) return source.file.sha256;
  base::Sha256 digest;
  digest.Update(source.text);
  return digest.Finish();
}

absl::StatusOr<plugin_v1::CountRequest> ToPlugin(const counting::CountRequest& request, bool reads_local_files) {
  if (request.model.source == nullptr) {
    return absl::InternalError("the model's description has no source that could be given to a plugin");
  }
  const model::ModelSource& source = *request.model.source;
  plugin_v1::CountRequest proto;
  switch (source.format) {
    case model::SourceFormat::kHuggingFaceConfig:
      proto.set_hugging_face_config(source.text);
      break;
    case model::SourceFormat::kLayerGraph:
      if (!proto.mutable_layer_graph()->ParseFromString(source.text)) return absl::InternalError("the layer graph's source is broken");
      break;
    case model::SourceFormat::kTorchScript:
      proto.mutable_file()->set_sha256(source.file.sha256);
      proto.mutable_file()->set_size_bytes(source.file.size_bytes);
      if (reads_local_files) {
        proto.mutable_file()->set_path(source.file.path);
        proto.mutable_file()->set_digest_checked(true);  // By the store, which holds a lock on it.
      }
      break;
  }
  proto.mutable_batch_shape()->set_batch(request.batch.batch);
  if (request.batch.seq_len) proto.mutable_batch_shape()->set_seq_len(*request.batch.seq_len);
  for (const model::TensorInput& input : request.batch.inputs) {
    planner::v1::TensorShape& shape = *proto.mutable_batch_shape()->add_inputs();
    shape.mutable_dimensions()->Assign(input.sizes.begin(), input.sizes.end());
    shape.set_dtype(input.dtype);
    shape.set_name(input.name);
  }
  proto.set_mode(request.mode == counting::Mode::kInference ? planner::v1::CountRequest::INFERENCE : planner::v1::CountRequest::TRAINING);
  proto.set_activation_element_bytes(request.activation_element_bytes);
  proto.set_with_modules(request.with_modules);
  return proto;
}

absl::StatusOr<counting::CostReport> FromPlugin(const plugin_v1::CountResult& result, const counting::CountRequest& request) {
  counting::CostReport report;
  const planner::v1::CountResponse& count = result.count();
  RETURN_IF_ERROR(SetTotals(result, request, report));
  RETURN_IF_ERROR(SetModules(count, report));
  RETURN_IF_ERROR(SetOperators(count, report));
  if (!request.with_modules) report.modules.clear();
  for (int i = 0; i < std::min(count.warnings_size(), kMostWarnings); ++i) report.warnings.push_back(Text(count.warnings(i)));
  report.backward_source = count.provenance().backward() == planner::v1::CountProvenance::COUNTED ? counting::BackwardSource::kCounted
                                                                                                  : counting::BackwardSource::kDerived;
  return report;
}

absl::Status FromPlugin(const plugin_v1::CountError& error) {
  constexpr size_t kMaxMessage = size_t{64} << 10;
  absl::StatusCode code = absl::StatusCode::kInternal;
  for (const absl::StatusCode allowed :
       {absl::StatusCode::kInvalidArgument, absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kNotFound,
        absl::StatusCode::kResourceExhausted, absl::StatusCode::kOutOfRange, absl::StatusCode::kUnimplemented}) {
    if (error.code() == static_cast<int>(allowed)) code = allowed;
  }
  absl::Status status(code, error.message().substr(0, kMaxMessage));
  if (!error.reason().empty()) status = base::WithReason(status, Text(error.reason()));
  return error.field().empty() ? status : base::WithField(Text(error.field()), status);
}

std::vector<model::SourceFormat> FormatsOf(const plugin_v1::PluginInfo& info) {
  std::vector<model::SourceFormat> formats;
  for (const int format : info.formats()) {
    if (format == plugin_v1::HUGGING_FACE_CONFIG) formats.push_back(model::SourceFormat::kHuggingFaceConfig);
    if (format == plugin_v1::LAYER_GRAPH) formats.push_back(model::SourceFormat::kLayerGraph);
    if (format == plugin_v1::TORCHSCRIPT) formats.push_back(model::SourceFormat::kTorchScript);
  }
  return formats;
}

}  // namespace planner::plugin_host
