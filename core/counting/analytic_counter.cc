#include "core/counting/analytic_counter.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/counting/operation_cost.h"

namespace planner::counting {
namespace {

using base::Checked;

/// What is summed over a subtree, for all instances and calls of it.
struct Totals {
  Checked parameters;
  Checked active_parameters;
  Checked embedding_parameters;
  Checked expert_parameters;
  Checked macs;
  Checked causal_macs;
  Checked other_flops;
  Checked saved_elements;

  Totals& operator+=(const Totals& other) {
    parameters += other.parameters;
    active_parameters += other.active_parameters;
    embedding_parameters += other.embedding_parameters;
    expert_parameters += other.expert_parameters;
    macs += other.macs;
    causal_macs += other.causal_macs;
    other_flops += other.other_flops;
    saved_elements += other.saved_elements;
    return *this;
  }
};

/// How often a module stands in the model, seen from the root.
struct Multiplicity {
  Checked instances = 1;
  Checked active = 1;
  Checked calls = 1;
};

struct OperatorTotals {
  std::string_view kind;
  Checked calls;
  Checked macs;
  Checked causal_macs;
  Checked other_flops;
};

/// Walks the tree once.
class Walk {
 public:
  explicit Walk(const CountRequest& request) : request_(request) {}

  Totals Visit(const model::Module& module, const Multiplicity& outer, model::Role role, bool expert, int depth) {
    const Multiplicity here = {outer.instances * module.instances,
                               outer.active * std::min(module.instances, module.calls), outer.calls * module.calls};
    if (module.role != model::Role::kUnspecified) role = module.role;
    expert = expert || module.expert;

    const size_t row = modules_.size();
    const size_t path_length = path_.size();
    if (request_.with_modules) {
      if (depth > 0) {
        if (depth > 1) path_ += '.';
        path_ += module.name;
      }
      modules_.push_back({.path = path_, .kind = module.kind, .depth = depth});
      row_totals_.emplace_back();
    }
    Totals totals = VisitOperation(module, here, role, expert);
    for (const model::Module& child : module.children) totals += Visit(child, here, role, expert, depth + 1);
    if (request_.with_modules) {
      modules_[row].instances = here.instances.ValueOrZero();
      row_totals_[row] = totals;
      path_.resize(path_length);
    }
    return totals;
  }

  absl::StatusOr<CostReport> Report(const Totals& totals) {
    CostReport report;
    ASSIGN_OR_RETURN(report.parameters, totals.parameters.Value("parameter count"));
    ASSIGN_OR_RETURN(report.active_parameters, totals.active_parameters.Value("active parameter count"));
    ASSIGN_OR_RETURN(report.stored_parameters,
                     (totals.parameters + request_.model.extra_stored_parameters).Value("stored parameter count"));
    ASSIGN_OR_RETURN(report.non_embedding_parameters,
                     (totals.parameters - totals.embedding_parameters).Value("non-embedding parameter count"));
    ASSIGN_OR_RETURN(report.expert_parameters, totals.expert_parameters.Value("expert parameter count"));
    ASSIGN_OR_RETURN(report.forward, Forward(totals.macs, totals.causal_macs, totals.other_flops));
    ASSIGN_OR_RETURN(report.block_forward, Forward(block_.macs, block_.causal_macs, block_.other_flops));
    ASSIGN_OR_RETURN(report.attention_forward,
                     Forward(attention_.macs, attention_.causal_macs, attention_.other_flops));
    ASSIGN_OR_RETURN(report.activation_bytes, ActivationBytes(totals));
    report.backward = Backward(report.forward);
    for (size_t i = 0; i < modules_.size(); ++i) {
      // A part never exceeds the whole, which was found to fit.
      const Totals& part = row_totals_[i];
      modules_[i].parameters = part.parameters.ValueOrZero();
      modules_[i].forward = {part.macs.ValueOrZero(), part.causal_macs.ValueOrZero(), part.other_flops.ValueOrZero()};
      modules_[i].backward = Backward(modules_[i].forward);
      ASSIGN_OR_RETURN(modules_[i].activation_bytes, ActivationBytes(part));
    }
    report.modules = std::move(modules_);
    std::sort(operators_.begin(), operators_.end(),
              [](const OperatorTotals& a, const OperatorTotals& b) { return a.kind < b.kind; });
    for (const OperatorTotals& totals_of_kind : operators_) {
      OperatorCost cost{.kind = std::string(totals_of_kind.kind)};
      ASSIGN_OR_RETURN(cost.call_count, totals_of_kind.calls.Value("call count"));
      cost.forward = {totals_of_kind.macs.ValueOrZero(), totals_of_kind.causal_macs.ValueOrZero(),
                      totals_of_kind.other_flops.ValueOrZero()};
      cost.backward = Backward(cost.forward);
      report.operators.push_back(std::move(cost));
    }
    return report;
  }

 private:
  Totals VisitOperation(const model::Module& module, const Multiplicity& here, model::Role role, bool expert) {
    if (std::holds_alternative<model::Container>(module.operation)) return {};
    const OperationCost cost = CostOf(module.operation);
    Totals totals;
    totals.parameters = cost.parameters * here.instances;
    totals.active_parameters = cost.parameters * here.active;
    totals.embedding_parameters = cost.embedding_parameters * here.instances;
    if (expert) totals.expert_parameters = totals.parameters;
    totals.macs = cost.macs * here.calls;
    totals.causal_macs = cost.causal_macs * here.calls;
    totals.other_flops = cost.other_flops * here.calls;
    totals.saved_elements = cost.saved_elements * here.calls;
    if (role == model::Role::kBlock) block_ += totals;
    if (std::holds_alternative<model::Attention>(module.operation)) attention_ += totals;
    AddOperator(cost.kind, here.calls, totals);
    return totals;
  }

  void AddOperator(std::string_view kind, Checked calls, const Totals& totals) {
    // A model has a dozen kinds of operators: a scan beats a map.
    auto found = std::find_if(operators_.begin(), operators_.end(),
                              [kind](const OperatorTotals& row) { return row.kind == kind; });
    if (found == operators_.end()) found = operators_.insert(found, {.kind = kind});
    found->calls += calls;
    found->macs += totals.macs;
    found->causal_macs += totals.causal_macs;
    found->other_flops += totals.other_flops;
  }

  absl::StatusOr<Work> Forward(Checked macs, Checked causal_macs, Checked other_flops) const {
    Work work;
    // FLOPs of the backward pass are 4 x macs: they must fit as well.
    RETURN_IF_ERROR((macs * 4).Value("FLOPs of one pass").status());
    RETURN_IF_ERROR((other_flops * 2).Value("other FLOPs of one pass").status());
    work.macs = macs.ValueOrZero();
    work.causal_macs = causal_macs.ValueOrZero();
    work.other_flops = other_flops.ValueOrZero();
    return work;
  }

  /// Twice the forward pass: the gradient of the input and the gradient of the weight, or of both
  /// factors.
  Work Backward(const Work& forward) const {
    if (request_.mode == Mode::kInference) return {};
    return {2 * forward.macs, 2 * forward.causal_macs, 2 * forward.other_flops};
  }

  absl::StatusOr<int64_t> ActivationBytes(const Totals& totals) const {
    if (request_.mode == Mode::kInference) return 0;
    return (totals.saved_elements * request_.activation_element_bytes).Value("activation bytes");
  }

  const CountRequest& request_;
  std::string path_;
  std::vector<ModuleCost> modules_;
  std::vector<Totals> row_totals_;
  std::vector<OperatorTotals> operators_;
  Totals block_;
  Totals attention_;
};

}  // namespace

CounterInfo AnalyticCounter::Info() const {
  return {.name = kName,
          .version = kVersion,
          .description = "formulas over the description, in process",
          .counts_backward = false,
          .formats = {model::SourceFormat::kHuggingFaceConfig, model::SourceFormat::kLayerGraph}};
}

absl::StatusOr<CostReport> AnalyticCounter::Count(const CountRequest& request) const {
  if (request.model.expand == nullptr) {
    return absl::UnimplementedError("the analytic counter counts descriptions, not model files: only a counter that runs them can");
  }
  if (clock_.Now() >= request.deadline)
    return absl::DeadlineExceededError("the deadline passed before the model was counted");
  if (request.model.expand == nullptr) {
    return absl::UnimplementedError("the analytic counter does not load modules; it takes configurations and layer graphs");
  }
  ASSIGN_OR_RETURN(const model::Module root, request.model.expand(request.batch));
  Walk walk(request);
  const Totals totals = walk.Visit(root, {}, model::Role::kUnspecified, /*expert=*/false, /*depth=*/0);
  ASSIGN_OR_RETURN(CostReport report, walk.Report(totals));
  report.warnings = request.model.warnings;
  report.counter = kName;
  report.counter_version = kVersion;
  report.backward_source = BackwardSource::kDerived;
  return report;
}

}  // namespace planner::counting
