#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "clients/kubernetes/held_plans.h"
#include "clients/kubernetes/kueue.h"
#include "clients/kubernetes/plan_check.h"
#include "clients/plannerctl/api_server_flags.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/kubernetes_commands.h"
#include "clients/plannerctl/stop_signal.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/plan_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

/// Whose the fields are that it writes.
constexpr char kManager[] = "planner-kueue";

struct KueueFlags {
  ApiServerFlags api_server;
  std::string controller = "planner.io/plan";
  std::string on_failure = "open";
  std::string interval, patience, release_after;
  bool once = false;
};

struct KueueOptions {
  std::string controller;
  bool is_open = true;
  absl::Duration patience = absl::Minutes(1);
  absl::Duration release_after = absl::Minutes(1);
};

/// Answers checks, a round at a time.
class Queue {
 public:
  Queue(KueueOptions options, kubernetes::ApiServerOptions server, Session& session)
      : options_(std::move(options)), server_(std::move(server)), session_(session), held_(options_.release_after) {}

  /// Every training that waits, once; and what those have that are no more is given back. An error is one of the API server's lists; what
  /// concerns one training is a warning.
  absl::Status AnswerAll() {
    ASSIGN_OR_RETURN(const std::set<std::string> checks, OwnChecks());
    if (checks.empty()) return absl::OkStatus();
    std::vector<kubernetes::QueuedTraining> waiting;
    kubernetes::SeenPlans seen;
    RETURN_IF_ERROR(server_.List(ListPath("workloads"), "", [&](const nlohmann::json& object) {
      if (const auto planned = kubernetes::ReadPlannedWorkload(object, checks)) (planned->is_over ? seen.over : seen.live).insert(planned->plan);
      auto training = kubernetes::ReadQueuedTraining(object, checks);
      if (!training.ok()) session_.Warn(fmt::format("a workload is passed over: {}", std::string(training.status().message())));
      if (training.ok() && training->has_value()) waiting.push_back(**std::move(training));
      return absl::OkStatus();
    }));
    away_ = absl::OkStatus();
    // First what is given back: others may wait for it.
    for (const std::string& plan : held_.Unused(seen, session_.now())) Release(plan);
    for (const kubernetes::QueuedTraining& training : waiting) Answer(training);
    return absl::OkStatus();
  }

 private:
  static std::string ListPath(const std::string& kind) { return fmt::format("/apis/{}/{}", kubernetes::kKueueVersion, kind); }

  absl::StatusOr<std::set<std::string>> OwnChecks() {
    std::set<std::string> names;
    std::vector<kubernetes::AdmissionCheck> inactive;
    RETURN_IF_ERROR(server_.List(ListPath("admissionchecks"), "", [&](const nlohmann::json& object) {
      const auto check = kubernetes::ReadAdmissionCheck(object, options_.controller);
      if (!check.ok()) session_.Warn(fmt::format("an admission check is passed over: {}", std::string(check.status().message())));
      if (!check.ok() || !check->has_value()) return absl::OkStatus();
      names.insert((*check)->name);
      if (!(*check)->is_active) inactive.push_back(**check);
      return absl::OkStatus();
    }));
    for (const kubernetes::AdmissionCheck& check : inactive) {
      const absl::Status applied = server_.Apply(StatusPath(check), ActiveStatus(check, session_.now()), kManager);
      if (!applied.ok()) session_.Warn(fmt::format("{} is not made active: {}", check.name, std::string(applied.message())));
    }
    return names;
  }

  absl::StatusOr<v1::Plan> PlanOf(const std::string& name) {
    session_.StartAgain(absl::ZeroDuration());
    v1::GetPlanRequest get;
    get.set_name(name);
    return session_.Call(&v1::PlanService::Stub::GetPlan, get);
  }

  /// The plan, which has its GPUs from now on.
  absl::StatusOr<v1::Plan> Confirmed(const std::string& name) {
    absl::StatusOr<v1::Plan> plan = PlanOf(name);
    if (!plan.ok() || plan->state() != v1::Plan::PLANNED) return plan;
    v1::ConfirmPlanRequest confirm;
    confirm.set_name(name);
    return session_.Call(&v1::PlanService::Stub::ConfirmPlan, confirm);
  }

  /// What the plan of a training that is no more still has. Its run, if it has reported one, has given it back already.
  void Release(const std::string& name) {
    if (!away_.ok()) return;
    absl::StatusOr<v1::Plan> plan = PlanOf(name);
    if (plan.ok() && kubernetes::HoldsGpus(*plan, session_.now())) {
      v1::CancelPlanRequest cancel;
      cancel.set_name(name);
      cancel.set_etag(plan->etag());  // Who has done something with it meanwhile may want it.
      const int64_t held = plan->reservation().gpu_count();
      plan = session_.Call(&v1::PlanService::Stub::CancelPlan, cancel);
      if (plan.ok()) session_.out() << fmt::format("{} is cancelled, its training is no more: {} GPUs are free\n", name, held) << std::flush;
    }
    if (plan.ok() || absl::IsNotFound(plan.status()) || absl::IsInvalidArgument(plan.status()) || absl::IsFailedPrecondition(plan.status())) {
      return held_.Settle(name);
    }
    if (!absl::IsAborted(plan.status())) away_ = plan.status();
    session_.Warn(fmt::format("{}: the planner: {}", name, std::string(plan.status().message())));
  }

  void Answer(const kubernetes::QueuedTraining& training) {
    const std::string name = training.name_space + "/" + training.name;
    std::optional<kubernetes::CheckAnswer> answer = kubernetes::CheckAnswer{"Ready", "was not planned"};
    if (!training.plan.empty()) {
      // Who has not answered for one training is not waited for again for each of the others.
      const absl::StatusOr<v1::Plan> plan = away_.ok() ? Confirmed(training.plan) : away_;
      answer = kubernetes::AnswerOf(training.plan, plan, session_.now());
      if (!answer.has_value()) {
        away_ = plan.status();
        session_.Warn(fmt::format("{}: the planner: {}", name, std::string(plan.status().message())));
        // It may be starting again; whoever has waited so long does not wait for it any more.
        if (!options_.is_open || session_.now() - training.quota_time < options_.patience) return;
        answer = kubernetes::CheckAnswer{"Ready", "the planner does not answer: nothing is held for it"};
      }
    }
    const auto status = AnsweredStatus(training, answer->state, answer->message, session_.now());
    if (!status.has_value()) return;
    const absl::Status applied = server_.Apply(StatusPath(training), *status, kManager);
    // Kueue has written meanwhile; the next round sees what.
    if (absl::IsAborted(applied)) return;
    if (!applied.ok()) return session_.Warn(fmt::format("{}: {}", name, std::string(applied.message())));
    session_.out() << fmt::format("{} {}: {}\n", name, answer->state, answer->message) << std::flush;
  }

  const KueueOptions options_;
  const kubernetes::ApiServer server_;
  Session& session_;
  kubernetes::HeldPlans held_;
  absl::Status away_;  ///< Why the planner has not answered in this round.
};

absl::StatusOr<ExitCode> Serve(const KueueFlags& flags, Session& session) {
  KueueOptions options{.controller = flags.controller, .is_open = flags.on_failure == "open"};
  if (!options.is_open && flags.on_failure != "closed") {
    return absl::InvalidArgumentError(fmt::format("--on-failure: is none of open, closed: value=\"{}\"", flags.on_failure));
  }
  absl::Duration interval = absl::Seconds(5);
  RETURN_IF_ERROR(FillFlag("--interval", flags.interval, ParseDuration, [&](absl::Duration value) { interval = value; }));
  RETURN_IF_ERROR(FillFlag("--patience", flags.patience, ParseDuration, [&](absl::Duration value) { options.patience = value; }));
  RETURN_IF_ERROR(FillFlag("--release-after", flags.release_after, ParseDuration, [&](absl::Duration value) { options.release_after = value; }));
  if (interval < absl::Seconds(1)) return absl::InvalidArgumentError("--interval: is shorter than a second");
  ASSIGN_OR_RETURN(kubernetes::ApiServerOptions server, ApiServerOf(flags.api_server, session));
  Queue queue(std::move(options), std::move(server), session);
  if (flags.once) {
    RETURN_IF_ERROR(queue.AnswerAll());
    return ExitCode::kOk;
  }
  while (true) {
    const absl::Status round = queue.AnswerAll();
    if (absl::IsInvalidArgument(round)) return round;  // Of a flag: it would be the same for ever.
    if (!round.ok()) session.Warn(std::string(round.message()));
    if (WaitForStopSignal(interval)) return ExitCode::kOk;
    session.StartAgain(absl::ZeroDuration());
  }
}

}  // namespace

void AddKueueCommand(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<KueueFlags>();
  CLI::App& command = *noun.add_subcommand("kueue", "Answers the admission checks of Kueue's queues by the planner's calendar, until it is ended");
  AddFlag(command, "--controller", flags->controller, "Checks with this controllerName are answered [planner.io/plan]", "NAME");
  AddFlag(command, "--on-failure", flags->on_failure, "What becomes of a training while the planner does not answer: open lets it start, closed keeps it waiting [open]",
          "open|closed");
  AddFlag(command, "--patience", flags->patience, "How long it waits for the planner before that [1m]", "DURATION");
  AddFlag(command, "--release-after", flags->release_after, "When the GPUs of a training that was deleted are given back [1m]", "DURATION");
  AddFlag(command, "--interval", flags->interval, "How often Kueue is asked [5s]", "DURATION");
  AddApiServerFlags(command, flags->api_server);
  command.add_flag("--once", flags->once, "Answer those that wait now, and end");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Serve(*flags, session); }; });
}

}  // namespace planner::plannerctl
