#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "clients/plannerctl/booking_text.h"
#include "clients/plannerctl/cluster_commands.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;
using Stub = v1::ClusterService::Stub;

struct ReserveFlags {
  std::string cluster, gpus, nodes, pool, start, length, end, tenant, description, hold, request_id;
  bool dry_run = false;
};

/// "main/ID" or "clusters/main/reservations/ID" as the server calls it.
std::string FullName(const std::string& name) {
  const size_t slash = name.find('/');
  if (name.starts_with("clusters/") || slash == std::string::npos) return name;
  return fmt::format("clusters/{}/reservations/{}", name.substr(0, slash), name.substr(slash + 1));
}

/// "main/ID" of "clusters/main/reservations/ID".
std::string ShortName(const std::string& name) {
  constexpr std::string_view kClusters = "clusters/", kReservations = "/reservations/";
  const size_t at = name.find(kReservations);
  if (!name.starts_with(kClusters) || at == std::string::npos) return name;
  return name.substr(kClusters.size(), at - kClusters.size()) + "/" + name.substr(at + kReservations.size());
}

absl::StatusOr<v1::CreateReservationRequest> BuildRequest(const ReserveFlags& flags, absl::Time now) {
  v1::CreateReservationRequest request;
  request.set_parent(flags.cluster);
  request.set_request_id(flags.request_id);
  request.set_validate_only(flags.dry_run);
  v1::Reservation& reservation = *request.mutable_reservation();
  reservation.set_nodes(flags.nodes);
  reservation.set_node_pool(flags.pool);
  reservation.set_tenant(flags.tenant);
  reservation.set_description(flags.description);
  RETURN_IF_ERROR(FillFlag("--gpus", flags.gpus, ParseInteger, [&](int64_t gpus) { reservation.set_gpu_count(gpus); }));
  absl::Time start = now;
  RETURN_IF_ERROR(FillFlag("--start", flags.start, ParseTime, [&](absl::Time time) {
    start = time;
    SetTime(time, *reservation.mutable_start_time());
  }));
  RETURN_IF_ERROR(FillFlag("--end", flags.end, ParseTime,
                           [&](absl::Time time) { SetTime(time, *reservation.mutable_end_time()); }));
  RETURN_IF_ERROR(FillFlag("--for", flags.length, ParseDuration,
                           [&](absl::Duration length) { SetTime(start + length, *reservation.mutable_end_time()); }));
  RETURN_IF_ERROR(FillFlag("--hold", flags.hold, ParseDuration,
                           [&](absl::Duration hold) { SetTime(now + hold, *reservation.mutable_expire_time()); }));
  return request;
}

absl::StatusOr<ExitCode> Reserve(const ReserveFlags& flags, Session& session) {
  ASSIGN_OR_RETURN(const v1::CreateReservationRequest request, BuildRequest(flags, session.now()));
  const auto made = session.Call(&Stub::CreateReservation, request);
  if (!made.ok()) return NameFlags(made.status());
  session.Print(*made, [&](std::ostream& out) {
    out << Printable(fmt::format("reservation/{} {}: {} GPUs ({}) of {} from {} to {}",
                                 made->name().empty() ? "(dry run)" : ShortName(made->name()), BookingText(*made),
                                 FormatGrouped(made->gpu_count()), made->nodes(), made->node_pool(),
                                 TimeText(ToTime(made->start_time())), TimeText(ToTime(made->end_time()))))
        << '\n';
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Release(const std::vector<std::string>& names, const std::string& etag, Session& session) {
  const absl::StatusOr<ExitCode> outcome = session.ForEach(names, [&](const std::string& name) {
    v1::DeleteReservationRequest request;
    request.set_name(FullName(name));
    request.set_etag(etag);
    RETURN_IF_ERROR(session.Call(&Stub::DeleteReservation, request).status());
    if (session.format() == OutputFormat::kTable) {
      session.out() << Printable(fmt::format("reservation/{} released", ShortName(request.name()))) << '\n';
    }
    return absl::OkStatus();
  });
  // One document, however many names.
  if (outcome.ok()) session.Print(google::protobuf::Empty(), [](std::ostream&) {});
  return outcome;
}

absl::StatusOr<ExitCode> List(const std::string& cluster, Session& session) {
  v1::ListReservationsRequest request;
  request.set_parent(cluster);
  request.set_page_size(1000);
  ASSIGN_OR_RETURN(const v1::ListReservationsResponse list, session.CallAllPages(&Stub::ListReservations, request));
  session.Print(list, [&](std::ostream& out) {
    Table table({{"NAME"},
                 {"POOL"},
                 {"GPUS", kRight},
                 {"NODES"},
                 {"FROM"},
                 {"TO"},
                 {"STATE"},
                 {"TENANT"},
                 {"PLAN"},
                 {"DESCRIPTION"}});
    for (const v1::Reservation& one : list.reservations()) {
      table.AddRow({ShortName(one.name()), one.node_pool(), FormatGrouped(one.gpu_count()), one.nodes(),
                    TimeText(ToTime(one.start_time())), TimeText(ToTime(one.end_time())), BookingText(one),
                    one.tenant().empty() ? "-" : one.tenant(), one.plan().empty() ? "-" : one.plan(),
                    one.description()});
    }
    table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

void AddReserve(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<ReserveFlags>();
  CLI::App& command = *noun.add_subcommand("reserve", "Book GPUs without a plan");
  command.add_option("name", flags->cluster, "Name of the cluster")->required();
  CLI::Option* const gpus = AddFlag(command, "--gpus", flags->gpus, "So many, wherever they are free", "N");
  CLI::Option* const nodes =
      AddFlag(command, "--nodes", flags->nodes, "These nodes, whole: gpu[001-008]", "LIST")->excludes(gpus);
  AddFlag(command, "--pool", flags->pool, "Of this pool; not needed where there is one", "POOL");
  AddFlag(command, "--start", flags->start, "From then on; now if not given", "TIME");
  CLI::Option* const length = AddFlag(command, "--for", flags->length, "For so long", "DURATION");
  CLI::Option* const end = AddFlag(command, "--end", flags->end, "Until then", "TIME")->excludes(length);
  AddFlag(command, "--tenant", flags->tenant, "Counts towards the tenant's quota", "TENANT");
  AddFlag(command, "--description", flags->description, "Free text that is kept with it", "TEXT");
  AddFlag(command, "--hold", flags->hold, "Only held, for so long; firm if not given", "DURATION");
  AddFlag(command, "--request-id", flags->request_id, "The same id again gives the same reservation, not a second one",
          "ID");
  command.add_flag("--dry-run", flags->dry_run, "Say what would be booked, and book nothing");
  command.callback([flags, gpus, nodes, length, end, &chosen] {
    if (gpus->empty() && nodes->empty()) throw CLI::RequiredError("--gpus or --nodes");
    if (length->empty() && end->empty()) throw CLI::RequiredError("--for or --end");
    chosen = [flags](Session& session) { return Reserve(*flags, session); };
  });
}

void AddRelease(CLI::App& noun, Action& chosen) {
  struct Flags {
    std::vector<std::string> names;
    std::string etag;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& command = *noun.add_subcommand("release", "Give reservations back; a plan's goes with `plan cancel`");
  command.add_option("name", flags->names, "CLUSTER/ID, or clusters/CLUSTER/reservations/ID")->required();
  command.add_option("--etag", flags->etag, "Only if it is still the reservation's");
  command.callback(
      [flags, &chosen] { chosen = [flags](Session& session) { return Release(flags->names, flags->etag, session); }; });
}

}  // namespace

void AddReservationCommands(CLI::App& noun, Action& chosen) {
  AddReserve(noun, chosen);
  AddRelease(noun, chosen);
  const auto name = std::make_shared<std::string>();
  CLI::App& list = *noun.add_subcommand("reservations", "What is booked of a cluster, plans' and others, by start");
  list.add_option("name", *name, "Name of the cluster")->required();
  list.callback([name, &chosen] { chosen = [name](Session& session) { return List(*name, session); }; });
}

}  // namespace planner::plannerctl
