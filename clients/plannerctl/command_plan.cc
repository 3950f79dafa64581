#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/booking_text.h"
#include "clients/plannerctl/command.h"
#include "clients/plannerctl/differences.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_flags.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/model_file.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/plan_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;
using Stub = v1::PlanService::Stub;

constexpr std::string_view kPrefix = "plans/";

/// "20260101-000000-4f3a" of "plans/20260101-000000-4f3a".
std::string ShortName(const std::string& name) {
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

/// What the server calls a plan; the prefix may be left out.
std::string FullName(const std::string& name) { return name.starts_with(kPrefix) ? name : std::string(kPrefix) + name; }

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string StateText(v1::Plan::State state) { return Lower(v1::Plan::State_Name(state)); }

void PrintReservation(const v1::Reservation& reservation, std::ostream& out) {
  out << Printable(fmt::format("Holds   {} GPUs ({}) of {} from {} to {}: {}", FormatGrouped(reservation.gpu_count()),
                               reservation.nodes(), reservation.node_pool(), TimeText(ToTime(reservation.start_time())),
                               TimeText(ToTime(reservation.end_time())), BookingText(reservation)))
      << '\n';
  if (IsInForce(reservation) && !reservation.conflict().empty()) {
    out << Printable("        " + reservation.conflict()) << '\n';
  }
}

void PrintPlan(const v1::Plan& plan, bool explain, const TableStyle& style, std::ostream& out) {
  out << Printable(fmt::format("Plan    {}: {}", plan.name().empty() ? "(not stored)" : ShortName(plan.name()),
                               StateText(plan.state())))
      << '\n';
  if (!plan.description().empty()) out << "        " << Printable(plan.description()) << '\n';
  if (plan.has_reservation()) PrintReservation(plan.reservation(), out);
  PrintEstimate(plan.estimate(), explain, style, out);
}

struct CreateFlags {
  EstimateFlags job;
  std::string description, request_id, hold;
  bool explain = false;
  bool dry_run = false;
};

absl::StatusOr<ExitCode> Create(const CreateFlags& flags, Session& session) {
  v1::CreatePlanRequest request;
  ASSIGN_OR_RETURN(*request.mutable_plan()->mutable_request(), BuildEstimateRequest(flags.job, session.in()));
  request.mutable_plan()->set_description(flags.description);
  request.set_request_id(flags.request_id);
  request.set_validate_only(flags.dry_run);
  RETURN_IF_ERROR(FillFlag("--hold", flags.hold, ParseDuration, [&](absl::Duration expires_in) {
    SetDuration(expires_in, *request.mutable_hold()->mutable_expires_in());
  }));
  session.StartAgain(absl::ZeroDuration());
  const auto plan =
      CallAboutModel(&Stub::CreatePlan, request, request.plan().request().model(), flags.job.model, session);
  if (!plan.ok()) return NameFlags(plan.status());
  for (const std::string& warning : plan->estimate().warnings()) session.Warn(NameFlags(warning));
  session.Print(*plan, [&](std::ostream& out) { PrintPlan(*plan, flags.explain, session.style(), out); });
  if (plan->state() != v1::Plan::INFEASIBLE) return ExitCode::kOk;
  for (const std::string& reason : plan->estimate().infeasible_reasons()) {
    session.Error("infeasible: " + reason);
  }
  return ExitCode::kInfeasible;
}

absl::StatusOr<v1::Plan> Fetch(const std::string& name, Session& session) {
  v1::GetPlanRequest request;
  request.set_name(FullName(name));
  return session.Call(&Stub::GetPlan, request);
}

absl::StatusOr<ExitCode> Get(const std::string& name, bool explain, Session& session) {
  ASSIGN_OR_RETURN(const v1::Plan plan, Fetch(name, session));
  session.Print(plan, [&](std::ostream& out) { PrintPlan(plan, explain, session.style(), out); });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> List(Session& session) {
  ASSIGN_OR_RETURN(const v1::ListPlansResponse list, session.CallAllPages(&Stub::ListPlans, v1::ListPlansRequest()));
  session.Print(list, [&](std::ostream& out) {
    Table table(
        {{"NAME"}, {"STATE"}, {"MODEL"}, {"GPUS"}, {"START"}, {"TOTAL", kRight}, {"COST", kRight}, {"HOLD"}, {"CREATED"},
         {"DESCRIPTION"}});
    for (const v1::Plan& plan : list.plans()) {
      std::string cards = "-", start = "-", total = "-", cost = "-";
      if (!plan.estimate().recommendations().empty()) {
        const v1::Recommendation& best = plan.estimate().recommendations(0);
        cards = Cards(best);
        start = TimeText(ToTime(best.start_time()));
        total = DurationText(ToDuration(best.total_duration()));
        if (!best.currency().empty()) cost = FormatMoney(best.cost(), best.currency());
      }
      table.AddRow({ShortName(plan.name()), StateText(plan.state()), plan.estimate().model(), cards, start, total, cost,
                    plan.has_reservation() ? BookingText(plan.reservation()) : "-",
                    TimeText(ToTime(plan.create_time())), plan.description()});
    }
    table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

/// `plan confirm` and `plan cancel`.
template <typename Request>
absl::StatusOr<ExitCode> ChangeState(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, v1::Plan*),
                                     const std::string& name, const std::string& etag, Session& session) {
  Request request;
  request.set_name(FullName(name));
  request.set_etag(etag);
  ASSIGN_OR_RETURN(const v1::Plan plan, session.Call(method, request));
  session.Print(plan, [&](std::ostream& out) {
    out << Printable(fmt::format("plan/{} {}", ShortName(plan.name()), StateText(plan.state()))) << '\n';
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(const std::vector<std::string>& names, Session& session) {
  const absl::StatusOr<ExitCode> outcome = session.ForEach(names, [&](const std::string& name) {
    v1::DeletePlanRequest request;
    request.set_name(FullName(name));
    RETURN_IF_ERROR(session.Call(&Stub::DeletePlan, request).status());
    if (session.format() == OutputFormat::kTable) {
      session.out() << Printable(fmt::format("plan/{} deleted", ShortName(name))) << '\n';
    }
    return absl::OkStatus();
  });
  // One document, however many names.
  if (outcome.ok()) session.Print(google::protobuf::Empty(), [](std::ostream&) {});
  return outcome;
}

bool IsFinal(v1::Plan::State state) { return state == v1::Plan::CANCELLED || state == v1::Plan::INFEASIBLE; }

/// Prints the plan now and after every change, until nothing can change it any more.
absl::StatusOr<ExitCode> Watch(const std::string& name, Session& session) {
  v1::WatchPlanRequest request;
  request.set_name(FullName(name));
  std::string printed;
  const absl::Status status = session.Watch<Stub, v1::WatchPlanRequest, v1::Plan>(&Stub::WatchPlan, request, [&](const v1::Plan& plan) {
    // After a lost connection it comes again as it was. A hold that expires is no new version of the plan.
    if (const std::string shown = plan.etag() + BookingText(plan.reservation()); shown != std::exchange(printed, shown)) {
      session.Print(plan, [&](std::ostream& out) { PrintPlan(plan, /*explain=*/false, session.style(), out); });
      session.out().flush();
    }
    return !IsFinal(plan.state()) && session.out();
  });
  if (absl::IsNotFound(status) && !printed.empty()) {
    session.Warn("the plan was deleted");
    return ExitCode::kOk;
  }
  RETURN_IF_ERROR(status);
  return ExitCode::kOk;
}

/// What a job asks, what it was answered and what it holds, without what differs between any two plans: names, etags, times of the records,
/// and the start of what can start at once.
std::string Comparable(v1::Plan plan) {
  constexpr absl::Duration kAtOnce = absl::Minutes(1);
  const absl::Time made = ToTime(plan.create_time());
  v1::Plan kept;
  kept.set_state(plan.state());
  *kept.mutable_request() = std::move(*plan.mutable_request());
  *kept.mutable_estimate() = std::move(*plan.mutable_estimate());
  kept.mutable_estimate()->clear_provenance();
  for (v1::Recommendation& one : *kept.mutable_estimate()->mutable_recommendations()) {
    if (ToTime(one.start_time()) < made + kAtOnce) {
      one.clear_start_time();
      one.clear_finish_time();
    }
    one.clear_explanation();  // Sentences about the very numbers that are compared.
  }
  if (plan.has_reservation()) {
    v1::Reservation& held = *kept.mutable_reservation() = plan.reservation();
    if (ToTime(held.start_time()) < made + kAtOnce) {
      held.clear_start_time();
      held.clear_end_time();
    }
    held.clear_name();
    held.clear_plan();
    held.clear_etag();
    held.clear_description();
    held.clear_create_time();
    held.clear_update_time();
    held.clear_expire_time();
  }
  return ToJson(kept);
}

absl::StatusOr<ExitCode> Diff(const std::string& left_name, const std::string& right_name, Session& session) {
  ASSIGN_OR_RETURN(v1::Plan left, Fetch(left_name, session));
  ASSIGN_OR_RETURN(v1::Plan right, Fetch(right_name, session));
  const std::vector<Difference> differences = Differences(Comparable(std::move(left)), Comparable(std::move(right)));
  nlohmann::ordered_json json = {{"differences", nlohmann::ordered_json::array()}};
  Table table({{"FIELD"}, {ShortName(left_name)}, {ShortName(right_name)}});
  for (const Difference& one : differences) {
    json["differences"].push_back({{"path", one.path}, {"left", one.left}, {"right", one.right}});
    table.AddRow({one.path, one.left.empty() ? "-" : one.left, one.right.empty() ? "-" : one.right});
  }
  session.PrintJson(json.dump(1), [&](std::ostream& out) {
    if (!differences.empty()) table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

void AddCreate(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<CreateFlags>();
  CLI::App& command = *noun.add_subcommand("create", "Estimate, and keep the answer");
  AddEstimateFlags(command, flags->job);
  AddFlag(command, "--description", flags->description, "Free text that is kept with it", "TEXT");
  AddFlag(command, "--request-id", flags->request_id, "The same id again gives the same plan, not a second one", "ID");
  AddFlag(command, "--hold", flags->hold, "Book the GPUs, and hold them so long without being confirmed", "DURATION");
  command.add_flag("--explain", flags->explain, "Say how the numbers came about");
  command.add_flag("--dry-run", flags->dry_run, "Answer, and store nothing");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Create(*flags, session); }; });
}

void AddGet(CLI::App& noun, Action& chosen) {
  struct Flags {
    std::string name;
    bool explain = false;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& command = *noun.add_subcommand("get", "One plan");
  command.add_option("name", flags->name, "Name of the plan")->required();
  command.add_flag("--explain", flags->explain, "Say how the numbers came about");
  command.callback(
      [flags, &chosen] { chosen = [flags](Session& session) { return Get(flags->name, flags->explain, session); }; });
}

/// `plan confirm NAME` or `plan cancel NAME`.
template <typename Request>
void AddChange(CLI::App& noun, const char* name, const char* description,
               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, v1::Plan*), Action& chosen) {
  struct Flags {
    std::string name, etag;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& command = *noun.add_subcommand(name, description);
  command.add_option("name", flags->name, "Name of the plan")->required();
  command.add_option("--etag", flags->etag, "Only if it is still the plan's");
  command.callback([flags, method, &chosen] {
    chosen = [flags, method](Session& session) { return ChangeState(method, flags->name, flags->etag, session); };
  });
}

void AddWatch(CLI::App& noun, Action& chosen) {
  const auto name = std::make_shared<std::string>();
  CLI::App& command =
      *noun.add_subcommand("watch", "Print a plan now and after every change, until it is cancelled or deleted");
  command.add_option("name", *name, "Name of the plan")->required();
  command.callback([name, &chosen] { chosen = [name](Session& session) { return Watch(*name, session); }; });
}

void AddDelete(CLI::App& noun, Action& chosen) {
  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App& command = *noun.add_subcommand("delete", "Delete plans");
  command.add_option("name", *names, "Names of the plans")->required();
  command.callback([names, &chosen] { chosen = [names](Session& session) { return Delete(*names, session); }; });
}

void AddDiff(CLI::App& noun, Action& chosen) {
  struct Flags {
    std::string left, right;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& command = *noun.add_subcommand("diff", "Where two plans differ, in question and answer");
  command.add_option("left", flags->left, "Name of a plan")->required();
  command.add_option("right", flags->right, "Name of the other one")->required();
  command.callback(
      [flags, &chosen] { chosen = [flags](Session& session) { return Diff(flags->left, flags->right, session); }; });
}

}  // namespace

void AddPlanCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = *root.add_subcommand("plan", "Estimates that are kept")->require_subcommand(1);
  AddCreate(noun, chosen);
  AddGet(noun, chosen);
  noun.add_subcommand("list", "All plans, newest first")->callback([&chosen] { chosen = List; });
  AddChange(noun, "confirm", "Make a planned one firm: what it holds, or what it needs of its cluster",
            &Stub::ConfirmPlan, chosen);
  AddChange(noun, "cancel", "Give a plan up", &Stub::CancelPlan, chosen);
  AddWatch(noun, chosen);
  AddDelete(noun, chosen);
  AddDiff(noun, chosen);
}

}  // namespace planner::plannerctl
