#include <google/protobuf/util/message_differencer.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "clients/plannerctl/bounded_file.h"
#include "clients/plannerctl/calendar_view.h"
#include "clients/plannerctl/cluster_commands.h"
#include "clients/plannerctl/cluster_file.h"
#include "clients/plannerctl/command.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/numbers.h"
#include "clients/plannerctl/page_output.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;

/// "main" of "clusters/main".
std::string ShortName(const std::string& name) {
  static constexpr std::string_view kPrefix = "clusters/";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

int64_t CardsOf(const v1::NodePool& pool) { return pool.node_count() * pool.gpus_per_node(); }

/// Whether two clusters are the same but for what every update changes.
bool SameContent(v1::Cluster a, v1::Cluster b) {
  for (v1::Cluster* cluster : {&a, &b}) {
    cluster->clear_update_time();
    cluster->clear_etag();
    cluster->clear_warnings();
    for (v1::NodePool& pool : *cluster->mutable_node_pools()) pool.clear_status();
  }
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

/// Puts one cluster there; says "created", "configured" or "unchanged".
absl::StatusOr<std::string> Apply(v1::Cluster& cluster, bool dry_run, Session& session) {
  v1::GetClusterRequest get;
  get.set_name(cluster.name());
  const auto before = session.Call(&v1::ClusterService::Stub::GetCluster, get);
  const bool is_new = before.status().code() == absl::StatusCode::kNotFound;
  if (!before.ok() && !is_new) return before.status();
  v1::UpdateClusterRequest update;
  *update.mutable_cluster() = cluster;
  update.set_allow_missing(true);
  update.set_validate_only(dry_run);
  ASSIGN_OR_RETURN(cluster, session.Call(&v1::ClusterService::Stub::UpdateCluster, update));
  for (const std::string& warning : cluster.warnings()) session.Warn(warning);
  if (is_new) return "created";
  return SameContent(*before, cluster) ? "unchanged" : "configured";
}

absl::StatusOr<ExitCode> ApplyFile(const std::string& path, bool dry_run, Session& session) {
  ASSIGN_OR_RETURN(const std::string text, ReadBoundedFile(path, session.in()));
  auto clusters = ParseClusters(text);
  if (!clusters.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(clusters.status().message())));
  }
  v1::ListClustersResponse applied;
  std::vector<std::string> names;
  for (const v1::Cluster& cluster : *clusters) names.push_back(cluster.name());
  size_t next = 0;
  const absl::StatusOr<ExitCode> code = session.ForEach(names, [&](const std::string& name) {
    v1::Cluster& cluster = (*clusters)[next++];
    ASSIGN_OR_RETURN(const std::string outcome, Apply(cluster, dry_run, session));
    *applied.add_clusters() = cluster;
    if (session.format() == OutputFormat::kTable) {
      // Line by line: what was done before an error must be known.
      session.out() << fmt::format("cluster/{} {}{}\n", Printable(ShortName(name)), outcome, dry_run ? " (dry run)" : "");
    }
    return absl::OkStatus();
  });
  if (!code.ok()) return code;
  const auto nothing = [](std::ostream&) {};
  if (clusters->size() == 1) {
    session.Print(applied.clusters(0), nothing);
  } else {
    session.Print(applied, nothing);
  }
  return code;
}

void PrintClusters(const v1::ListClustersResponse& list, const TableStyle& style, std::ostream& out) {
  Table table({{"NAME"}, {"GPUS", kRight}, {"POOLS"}, {"UPDATED"}, {"DESCRIPTION"}});
  for (const v1::Cluster& cluster : list.clusters()) {
    int64_t cards = 0;
    std::string pools;
    for (const v1::NodePool& pool : cluster.node_pools()) {
      cards += CardsOf(pool);
      pools += fmt::format("{}{} × {}", pools.empty() ? "" : ", ", FormatGrouped(CardsOf(pool)), pool.gpu_type());
    }
    table.AddRow({ShortName(cluster.name()), FormatGrouped(cards), pools, TimeText(ToTime(cluster.update_time())),
                  cluster.description()});
  }
  table.Print(out, style);
}

void PrintCluster(const v1::Cluster& cluster, const TableStyle& style, std::ostream& out) {
  out << Printable(fmt::format("Cluster  {}", ShortName(cluster.name()))) << '\n';
  if (!cluster.description().empty()) out << "         " << Printable(cluster.description()) << '\n';
  out << fmt::format("Updated  {}, etag {}\n\n", TimeText(ToTime(cluster.update_time())), Printable(cluster.etag()));
  Table table({{"POOL"},
               {"GPU TYPE"},
               {"NODES", kRight},
               {"READY", kRight},
               {"DRAINED", kRight},
               {"DOWN", kRight},
               {"GPUS", kRight},
               {"IN USE", kRight},
               {"PRICE PER GPU HOUR", kRight},
               {"WATTS", kRight}});
  for (const v1::NodePool& pool : cluster.node_pools()) {
    const v1::NodePoolStatus& status = pool.status();
    table.AddRow({pool.name(), pool.gpu_type(), FormatGrouped(pool.node_count()), FormatGrouped(status.ready_node_count()),
                  FormatGrouped(status.drained_node_count()), FormatGrouped(status.down_node_count()),
                  FormatGrouped(CardsOf(pool)), FormatGrouped(status.used_gpu_count()),
                  pool.has_price_per_gpu_hour() ? FormatMoney(pool.price_per_gpu_hour(), cluster.currency()) : "-",
                  pool.has_power_watts_per_gpu() ? FormatRate(pool.power_watts_per_gpu(), 1) : "-"});
  }
  table.Print(out, style);
  if (cluster.quotas_size() + cluster.maintenance_windows_size() > 0) out << '\n';
  for (const v1::TenantQuota& quota : cluster.quotas()) {
    out << Printable(fmt::format("Quota    {}: {} GPUs{}", quota.tenant(), FormatGrouped(quota.max_gpus()),
                                 quota.node_pool().empty() ? "" : " of " + quota.node_pool()))
        << '\n';
  }
  for (const v1::MaintenanceWindow& window : cluster.maintenance_windows()) {
    out << Printable(fmt::format("Down     {} to {}: {}{}{}", TimeText(ToTime(window.start_time())),
                                 TimeText(ToTime(window.end_time())), window.node_pool().empty() ? "all pools" : window.node_pool(),
                                 window.nodes().empty() ? "" : " " + window.nodes(),
                                 window.description().empty() ? "" : ", " + window.description()))
        << '\n';
  }
}

absl::StatusOr<ExitCode> List(Session& session) {
  ASSIGN_OR_RETURN(const v1::ListClustersResponse list,
                   session.CallAllPages(&v1::ClusterService::Stub::ListClusters, v1::ListClustersRequest()));
  session.Print(list, [&](std::ostream& out) { PrintClusters(list, session.style(), out); });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Get(const std::string& name, Session& session) {
  v1::GetClusterRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::Cluster cluster, session.Call(&v1::ClusterService::Stub::GetCluster, request));
  session.Print(cluster, [&](std::ostream& out) { PrintCluster(cluster, session.style(), out); });
  return ExitCode::kOk;
}

/// Who holds what, when.
absl::StatusOr<ExitCode> Calendar(const std::string& name, const std::string& html, Session& session) {
  v1::GetClusterRequest get;
  get.set_name(name);
  ASSIGN_OR_RETURN(const v1::Cluster cluster, session.Call(&v1::ClusterService::Stub::GetCluster, get));
  v1::ListReservationsRequest request;
  request.set_parent(cluster.name());
  request.set_page_size(1000);
  ASSIGN_OR_RETURN(const v1::ListReservationsResponse list,
                   session.CallAllPages(&v1::ClusterService::Stub::ListReservations, request));
  const absl::Time now = session.now();
  const std::vector<CalendarEntry> entries = EntriesOf(cluster, {list.reservations().begin(), list.reservations().end()}, now);
  const std::string short_name(ShortName(cluster.name()));
  RETURN_IF_ERROR(PrintWithPage(
      list, [&](std::ostream& out) { PrintCalendar(short_name, entries, now, session.style(), out); }, html,
      [&] { return CalendarPage(short_name, entries, now); }, session));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(const std::vector<std::string>& names, const std::string& etag, bool force,
                                Session& session) {
  const absl::StatusOr<ExitCode> outcome = session.ForEach(names, [&](const std::string& name) {
    v1::DeleteClusterRequest request;
    request.set_name(name);
    request.set_etag(etag);
    request.set_force(force);
    RETURN_IF_ERROR(session.Call(&v1::ClusterService::Stub::DeleteCluster, request).status());
    if (session.format() == OutputFormat::kTable) {
      session.out() << fmt::format("cluster/{} deleted\n", Printable(ShortName(name)));
    }
    return absl::OkStatus();
  });
  // One document, however many names.
  if (outcome.ok()) session.Print(google::protobuf::Empty(), [](std::ostream&) {});
  return outcome;
}

}  // namespace

void AddClusterCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = *root.add_subcommand("cluster", "The inventory: node pools, their state, prices and calendar")->require_subcommand(1);

  struct ApplyFlags {
    std::string file;
    bool dry_run = false;
  };
  const auto apply_flags = std::make_shared<ApplyFlags>();
  CLI::App& apply = *noun.add_subcommand("apply", "Create or change clusters as a file says");
  apply.add_option("-f,--filename", apply_flags->file, "YAML, JSON or textproto; - reads standard input")
      ->required()
      ->type_name("FILE");
  apply.add_flag("--dry-run", apply_flags->dry_run, "Check everything and store nothing");
  apply.callback([apply_flags, &chosen] {
    chosen = [apply_flags](Session& session) { return ApplyFile(apply_flags->file, apply_flags->dry_run, session); };
  });

  noun.add_subcommand("list", "All clusters")->callback([&chosen] { chosen = List; });

  CLI::App& get = *noun.add_subcommand("get", "One cluster");
  const auto name = std::make_shared<std::string>();
  get.add_option("name", *name, "Name of the cluster")->required();
  get.callback([name, &chosen] { chosen = [name](Session& session) { return Get(*name, session); }; });

  struct CalendarFlags {
    std::string name, html;
  };
  const auto calendar_flags = std::make_shared<CalendarFlags>();
  CLI::App& calendar = *noun.add_subcommand("calendar", "Who holds what of a cluster, and when");
  calendar.add_option("name", calendar_flags->name, "Name of the cluster")->required();
  AddFlag(calendar, "--html", calendar_flags->html, "Write it as a page, too; - is standard output, without the table", "FILE");
  calendar.callback([calendar_flags, &chosen] {
    chosen = [calendar_flags](Session& session) { return Calendar(calendar_flags->name, calendar_flags->html, session); };
  });

  AddReservationCommands(noun, chosen);
  AddClusterWatchCommand(noun, chosen);
  AddUtilizationCommands(noun, chosen);
  AddClusterImportCommand(noun, chosen);

  struct DeleteFlags {
    std::vector<std::string> names;
    std::string etag;
    bool force = false;
  };
  const auto delete_flags = std::make_shared<DeleteFlags>();
  CLI::App& remove = *noun.add_subcommand("delete", "Delete clusters");
  remove.add_option("name", delete_flags->names, "Names of the clusters")->required();
  remove.add_option("--etag", delete_flags->etag, "Only if it is still the cluster's");
  remove.add_flag("--force", delete_flags->force, "Also while GPUs are held or firmly booked");
  remove.callback([delete_flags, &chosen] {
    chosen = [delete_flags](Session& session) {
      return Delete(delete_flags->names, delete_flags->etag, delete_flags->force, session);
    };
  });
}

}  // namespace planner::plannerctl
