#include "plugins/libtorch/engine/rules/tally.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace planner::libtorch {

using base::Checked;

void Tally::Sums::Add(const Sums& other) {
  causal_macs += other.causal_macs;
  for (int pass : {kForward, kBackward}) {
    macs[pass] += other.macs[pass];
    other_flops[pass] += other.other_flops[pass];
    calls[pass] += other.calls[pass];
  }
}

int Tally::AddModule(std::string path, std::string kind, int parent, Checked parameters) {
  ModuleSums module;
  module.path = std::move(path);
  module.kind = std::move(kind);
  module.parent = parent;
  module.parameters = parameters;
  parameters_ += parameters;
  modules_.push_back(std::move(module));
  return static_cast<int>(modules_.size()) - 1;
}

void Tally::AddCall(int module, Pass pass, std::string_view kind, Checked macs, Checked other_flops, bool causal) {
  Sums call;
  call.causal_macs = pass == kBackward ? Checked(0) : causal && !macs.overflowed() ? Checked(macs.ValueOrZero() / 2) : macs;
  call.macs[pass] = macs;
  call.other_flops[pass] = other_flops;
  call.calls[pass] = 1;
  modules_[static_cast<size_t>(module)].sums.Add(call);
  auto found = operators_.find(kind);
  if (found == operators_.end()) found = operators_.emplace(std::string(kind), Sums()).first;
  found->second.Add(call);
}

void Tally::AddUncounted(std::string_view name) {
  auto found = uncounted_.find(name);
  if (found == uncounted_.end()) found = uncounted_.emplace(std::string(name), 0).first;
  ++found->second;
}

void Tally::AddActivation(int module, Checked bytes) { modules_[static_cast<size_t>(module)].activation_bytes += bytes; }

absl::Status Tally::FillWork(const Sums& sums, Pass pass, v1::Work& work) {
  ASSIGN_OR_RETURN(const int64_t macs, sums.macs[pass].Value("MACs"));
  ASSIGN_OR_RETURN(const int64_t flops, (sums.macs[pass] * 2).Value("FLOPs"));
  ASSIGN_OR_RETURN(const int64_t other_flops, sums.other_flops[pass].Value("FLOPs of other operators"));
  work.set_macs(macs);
  // Masks are data, which a count on shapes does not see: only an attention that is called causal is known to be.
  if (pass == kForward) work.set_causal_macs(sums.causal_macs.ValueOrZero());
  work.set_flops(flops);
  work.set_other_flops(other_flops);
  return absl::OkStatus();
}

absl::Status Tally::Fill(bool with_modules, v1::CountResponse& response) const {
  std::vector<ModuleSums> trees = modules_;
  for (size_t i = trees.size(); i-- > 1;) {
    ModuleSums& parent = trees[static_cast<size_t>(trees[i].parent)];
    parent.parameters += trees[i].parameters;
    parent.activation_bytes += trees[i].activation_bytes;
    parent.sums.Add(trees[i].sums);
  }
  if (trees.empty()) return absl::InternalError("no module was counted");
  ASSIGN_OR_RETURN(const int64_t parameters, trees[0].parameters.Value("parameters"));
  ASSIGN_OR_RETURN(const int64_t activation_bytes, trees[0].activation_bytes.Value("activation bytes"));
  response.set_parameter_count(parameters);
  response.set_activation_bytes(activation_bytes);
  RETURN_IF_ERROR(FillWork(trees[0].sums, kForward, *response.mutable_forward()));
  RETURN_IF_ERROR(FillWork(trees[0].sums, kBackward, *response.mutable_backward()));
  if (with_modules) {
    for (const ModuleSums& tree : trees) {
      v1::ModuleCount& row = *response.add_modules();
      row.set_path(tree.path);
      row.set_kind(tree.kind);
      row.set_instance_count(1);
      row.set_parameter_count(tree.parameters.ValueOrZero());
      row.set_activation_bytes(tree.activation_bytes.ValueOrZero());
      RETURN_IF_ERROR(FillWork(tree.sums, kForward, *row.mutable_forward()));
      RETURN_IF_ERROR(FillWork(tree.sums, kBackward, *row.mutable_backward()));
    }
  }
  for (const auto& [kind, sums] : operators_) {
    v1::OperatorCount& row = *response.add_operators();
    row.set_kind(kind);
    row.set_call_count(sums.calls[kForward] > 0 ? sums.calls[kForward] : sums.calls[kBackward]);
    RETURN_IF_ERROR(FillWork(sums, kForward, *row.mutable_forward()));
    RETURN_IF_ERROR(FillWork(sums, kBackward, *row.mutable_backward()));
  }
  for (const auto& [kind, calls] : uncounted_) {
    v1::UncountedOperator& row = *response.add_uncounted_operators();
    row.set_kind(kind);
    row.set_call_count(calls);
  }
  return absl::OkStatus();
}

}  // namespace planner::libtorch
