#include "clients/jobs/decision.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "clients/jobs/time_limit.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::jobs {
namespace {

absl::Duration ToDuration(const google::protobuf::Duration& proto) {
  return absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

bool IsNoAnswer(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status) ||
         absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsCancelled(status);
}

/// The shorter of what there is.
std::optional<absl::Duration> Shorter(std::optional<absl::Duration> a, std::optional<absl::Duration> b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() ? a : b;
  return std::min(*a, *b);
}

/// One job on its way to a decision.
class Decider {
 public:
  Decider(const Policy& policy, const Job& job, const PlannerCalls& planner)
      : policy_(policy), rules_(policy.Of(job.partition)), job_(job), planner_(planner) {}

  Decision Run() {
    if (rules_.mode == Mode::kOff) return Leave(fmt::format("the {}'s mode is off", job_.wording.place));
    if (job_.words.empty()) return Leave("says nothing to the planner");
    // Who speaks to the planner has meant to be planned.
    if (!job_.gpus.has_value()) return Leave("asks for no GPUs", "not planned: the job asks for no GPUs");
    is_fixed_ = job_.words.contains("fixed") && job_.words.at("fixed") != "false";
    if (job_.words.contains("plan")) return OfPlan(job_.words.at("plan"));
    if (!job_.words.contains("model")) return Leave("names no model", "not planned: the job names no model");
    const absl::Status status = Plan();
    if (status.ok()) return std::move(decision_);
    return IsNoAnswer(status) ? NoAnswer(status) : Wrong(status);
  }

  Decision Wrong(const absl::Status& status) {
    const std::string text = InWords(std::string(status.message()), job_.wording);
    if (MayRefuse()) return Refuse(text);
    return Leave(text, fmt::format("not planned: {}", text));
  }

 private:
  bool MayChange() const {
    return (rules_.mode == Mode::kAmend || rules_.mode == Mode::kEnforce) && !is_fixed_ && !job_.is_advice;
  }
  bool MayRefuse() const { return rules_.mode == Mode::kEnforce && !is_fixed_ && !job_.is_advice; }

  Decision Leave(std::string reason, std::string message = "") {
    Decision decision{.reason = std::move(reason)};
    if (!message.empty()) decision.messages = {std::move(message)};
    return decision;
  }

  Decision Refuse(std::string message) {
    Decision decision{.action = Action::kRefuse, .reason = message};
    decision.messages = {std::move(message)};
    return decision;
  }

  Decision NoAnswer(const absl::Status& status) {
    const bool is_closed = rules_.on_failure == OnFailure::kClosed && !job_.is_advice;
    Decision decision{.action = is_closed ? Action::kRefuse : Action::kLeave,
                      .reason = std::string(status.message()),
                      .has_failed = true};
    decision.messages = {
        is_closed ? fmt::format("the planner does not answer, and this {} takes no job without a plan; try again later",
                                job_.wording.place)
                  : "the planner does not answer: the job is taken without a plan"};
    return decision;
  }

  /// The longest that the job may take; nothing: as long as it likes.
  std::optional<absl::Duration> Longest() const { return Shorter(rules_.max_time, job_.partition_time_limit); }

  /// The request for so many GPUs of these types of the scheduler's.
  v1::EstimateRequest RequestFor(int64_t min_gpus, int64_t max_gpus, const std::vector<std::string>& types) const {
    v1::EstimateRequest request = request_;
    v1::Resources& resources = *request.mutable_resources();
    resources.clear_gpu_types();
    for (const std::string& type : types) resources.add_gpu_types(policy_.PlannerType(type));
    resources.set_min_gpus(min_gpus);
    resources.set_max_gpus(max_gpus);
    return request;
  }

  /// What is in the way of an answer; empty: nothing.
  struct Verdict {
    std::string problem;
    const v1::Recommendation* best = nullptr;
  };

  Verdict Judge(const v1::EstimateResponse& estimate) const {
    if (estimate.recommendations().empty()) {
      std::string reasons;
      for (const std::string& reason : estimate.infeasible_reasons()) {
        if (reasons.size() < 600) reasons += (reasons.empty() ? "" : "; ") + reason;
      }
      return {.problem = reasons.empty() ? "there is no way to run it on these GPUs" : reasons};
    }
    const v1::Recommendation& best = estimate.recommendations(0);
    const std::optional<absl::Duration> limit = Shorter(job_.time_limit, Longest());
    const absl::Duration expected = ToDuration(best.total_duration());
    if (limit.has_value() && expected > *limit && !Resumes()) {
      return {.problem = fmt::format("would finish in {}, the limit is {}", SpanText(expected), SpanText(*limit)),
              .best = &best};
    }
    return {.best = &best};
  }

  /// A job that goes on from its checkpoint may be longer than its limit.
  bool Resumes() const { return job_.words.contains("resume") && job_.words.at("resume") != "false"; }

  absl::StatusOr<int64_t> AllGpus() const {
    return TotalGpus(*job_.gpus, job_.size,
                     rules_.says_gpus_per_node ? std::optional<int64_t>(rules_.gpus_per_node) : std::nullopt);
  }

  absl::Status Plan() {
    ASSIGN_OR_RETURN(request_, planner_.build_request(job_.words));
    ASSIGN_OR_RETURN(const int64_t asked, AllGpus());
    const std::string type = job_.gpus->type.empty() ? policy_.default_gpu_type : job_.gpus->type;
    if (type.empty() && policy_.cluster.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("names no type of GPUs, and the site has no default: {}", job_.wording.ask_for_gpu_type));
    }
    request_.mutable_resources()->set_cluster(policy_.cluster);
    v1::EstimateRequest request =
        RequestFor(asked, asked, type.empty() ? std::vector<std::string>() : std::vector{type});
    ASSIGN_OR_RETURN(v1::EstimateResponse estimate, EstimateAndKeep(request));
    Verdict verdict = Judge(estimate);
    if (!verdict.problem.empty()) {
      const std::string problem = verdict.problem;
      const std::vector<std::string> others = OtherTypes(type);
      if (MayChange() && (rules_.change_count || !others.empty())) {
        std::vector<std::string> types = others;
        if (!type.empty()) types.insert(types.begin(), type);
        request = RequestFor(asked, rules_.change_count ? std::max(asked, rules_.max_gpus) : asked, types);
        if (rules_.change_count) request.set_goal(v1::EstimateRequest::FEWEST);
        const std::optional<absl::Duration> limit = Shorter(job_.time_limit, Longest());
        if (limit.has_value() && !Resumes() && !request_.resources().has_deadline_time()) {
          request.mutable_resources()->mutable_deadline_duration()->set_seconds(absl::ToInt64Seconds(*limit));
        }
        ASSIGN_OR_RETURN(v1::EstimateResponse better, planner_.estimate(request));
        const Verdict second = Judge(better);
        if (second.problem.empty()) {
          const absl::Status resized = Resize(*second.best, type, asked, problem);
          if (!resized.ok() && IsNoAnswer(resized)) return resized;
          if (resized.ok()) {
            estimate = std::move(better);
            verdict = Judge(estimate);
            // The plan is of what was chosen, not of the search.
            request = RequestFor(verdict.best->gpu_count(), verdict.best->gpu_count(), {});
            request.mutable_resources()->add_gpu_types(verdict.best->gpu_type());
            DropPlan();
            RETURN_IF_ERROR(EstimateAndKeep(request).status());
          }
        }
      }
      if (!verdict.problem.empty()) {
        if (MayRefuse()) {
          DropPlan();
          decision_ = Refuse(problem);
          return absl::OkStatus();
        }
        decision_.messages.push_back(
            fmt::format("this job {}", verdict.best == nullptr ? "cannot run as asked: " + problem : problem));
      }
    }
    decision_.action = Action::kAccept;
    if (verdict.best == nullptr) {
      DropPlan();
      return absl::OkStatus();
    }
    if (verdict.problem.empty() || Resumes()) SetTime(*verdict.best);
    Say(*verdict.best);
    return absl::OkStatus();
  }

  /// The estimate, kept as the job's plan right away: most jobs can be as they are, and one question is quicker than two. Advice keeps nothing.
  absl::StatusOr<v1::EstimateResponse> EstimateAndKeep(const v1::EstimateRequest& request) {
    if (job_.is_advice) return planner_.estimate(request);
    ASSIGN_OR_RETURN(v1::Plan plan, planner_.create_plan(request, Description()));
    decision_.plan = plan.name();
    return std::move(*plan.mutable_estimate());
  }

  void DropPlan() {
    if (!decision_.plan.empty()) planner_.delete_plan(decision_.plan);
    decision_.plan.clear();
  }

  /// Other types that the site allows to change to.
  std::vector<std::string> OtherTypes(const std::string& type) const {
    std::vector<std::string> others;
    if (!rules_.change_type) return others;
    for (const auto& [slurm_type, planner_type] : policy_.gpu_types) {
      if (slurm_type != type) others.push_back(slurm_type);
    }
    return others;
  }

  /// Notes what must change of the job for `best`. INVALID_ARGUMENT where it cannot.
  absl::Status Resize(const v1::Recommendation& best, const std::string& type, int64_t asked, const std::string& why) {
    GpuRequest gpus = *job_.gpus;
    std::string new_type = type;
    if (!type.empty() && policy_.PlannerType(type) != best.gpu_type()) {
      // The answer has the planner's full name, the site may have written an alias.
      for (const auto& [slurm_type, planner_type] : policy_.gpu_types) {
        if (planner_type == best.gpu_type()) new_type = slurm_type;
      }
    }
    ASSIGN_OR_RETURN(ResizedRequest resized, Resized(gpus, job_.size, best.gpu_count(), rules_.gpus_per_node));
    if (new_type != type) resized.gpus.type = new_type;
    decision_.gpus = resized.gpus;
    decision_.nodes = resized.nodes;
    decision_.messages.push_back(fmt::format("{}; changed from {} to {}{} GPUs", why, asked, best.gpu_count(),
                                             new_type.empty() ? "" : " " + new_type));
    return absl::OkStatus();
  }

  void SetTime(const v1::Recommendation& best) {
    if (ToDuration(best.total_duration()) <= absl::ZeroDuration()) return;  // No data set: only rates are known.
    absl::Duration needed = ToDuration(best.total_duration_high()) * rules_.time_margin;
    needed = std::max(needed, rules_.min_time);
    const std::optional<absl::Duration> longest = Longest();
    if (longest.has_value()) needed = std::min(needed, *longest);
    const auto minutes = static_cast<int64_t>(std::ceil(absl::ToDoubleMinutes(needed)));
    const bool fills = !job_.time_limit.has_value() && rules_.time != TimeChange::kKeep;
    const bool caps =
        job_.time_limit.has_value() && rules_.time == TimeChange::kCap && absl::Minutes(minutes) < *job_.time_limit;
    const Wording& wording = job_.wording;
    if (MayChange() && job_.takes_time_limit && (fills || caps)) {
      decision_.time_limit_minutes = minutes;
      decision_.messages.push_back(fmt::format("{} set to {}{}", wording.time_limit, wording.time_text(minutes),
                                               caps ? ", which is enough" : ""));
    } else if (!job_.time_limit.has_value()) {
      if (job_.takes_time_limit)
        decision_.messages.push_back(
            fmt::format("{}{} would be enough", wording.time_option, wording.time_text(minutes)));
    } else if (absl::Minutes(minutes) > *job_.time_limit && !Resumes()) {
      decision_.messages.push_back(fmt::format("may take up to {}, its time limit is {}",
                                               SpanText(ToDuration(best.total_duration_high())),
                                               SpanText(*job_.time_limit)));
    }
  }

  void Say(const v1::Recommendation& best) {
    const absl::Duration total = ToDuration(best.total_duration());
    if (total <= absl::ZeroDuration()) return;
    decision_.messages.insert(
        decision_.messages.begin(),
        fmt::format("{} on {} {} GPUs takes {} ({} to {})", job_.words.at("model"), best.gpu_count(), best.gpu_type(),
                    SpanText(total), SpanText(ToDuration(best.total_duration_low())),
                    SpanText(ToDuration(best.total_duration_high()))));
  }

  std::string Description() const {
    return fmt::format("{}{}{} of user {}{}", job_.wording.job, job_.name.empty() ? "" : " ", job_.name, job_.user,
                       job_.partition.empty() ? "" : " in " + job_.partition);
  }

  Decision OfPlan(const std::string& word) {
    const std::string name = word.starts_with("plans/") ? word : "plans/" + word;
    const absl::StatusOr<v1::Plan> plan = planner_.get_plan(name);
    if (!plan.ok()) return IsNoAnswer(plan.status()) ? NoAnswer(plan.status()) : Wrong(plan.status());
    if (plan->estimate().recommendations().empty()) {
      return Wrong(absl::InvalidArgumentError(fmt::format("{} says that the job cannot be", name)));
    }
    decision_.action = Action::kAccept;
    decision_.plan = plan->name();
    const v1::Recommendation& best = plan->estimate().recommendations(0);
    const absl::StatusOr<int64_t> asked = AllGpus();
    if (asked.ok() && *asked != best.gpu_count()) {
      decision_.messages.push_back(
          fmt::format("{} is of {} GPUs, the job asks for {}", name, best.gpu_count(), *asked));
    }
    SetTime(best);
    return std::move(decision_);
  }

  const Policy& policy_;
  const PartitionPolicy rules_;
  const Job& job_;
  const PlannerCalls& planner_;
  bool is_fixed_ = false;
  v1::EstimateRequest request_;
  Decision decision_;
};

}  // namespace

Decision Decide(const Policy& policy, const Job& job, const PlannerCalls& planner) {
  return Decider(policy, job, planner).Run();
}

Decision Decide(const Policy& policy, const absl::StatusOr<Job>& job, const std::string& partition,
                const PlannerCalls& planner) {
  if (job.ok()) return Decide(policy, *job, planner);
  Job unreadable;
  unreadable.partition = partition;
  if (policy.Of(partition).mode == Mode::kOff) return Decision{.reason = "the partition's mode is off"};
  return Decider(policy, unreadable, planner).Wrong(job.status());
}

}  // namespace planner::jobs
