#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "clients/plannerctl/booking_text.h"
#include "clients/plannerctl/cluster_commands.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using Stub = v1::ClusterService::Stub;

std::string ShortName(const std::string& name) { return name.substr(name.rfind('/') + 1); }

/// Columns of one width each, since nobody knows what is to come.
std::string Line(std::string_view change, const std::string& name, const std::string& pool, const std::string& gpus,
                 const std::string& from, const std::string& to, const std::string& what) {
  return fmt::format("{:<8}  {:<24}  {:<12}  {:>7}  {:<20}  {:<20}  {}", change, name, pool, gpus, from, to, what);
}

/// What a watch shows of a cluster, so that only changes are printed, also after the connection was lost and everything comes again.
class ClusterPrinter {
 public:
  explicit ClusterPrinter(Session& session) : session_(session) {}

  void Print(const v1::WatchClusterResponse& message) {
    switch (message.change_case()) {
      case v1::WatchClusterResponse::kCluster:
        seen_.clear();
        return PrintCluster(message);
      case v1::WatchClusterResponse::kReservation:
        return PrintReservation(message);
      case v1::WatchClusterResponse::kDeletedReservation:
        return PrintRemoved(message.deleted_reservation());
      case v1::WatchClusterResponse::kSynchronized:
        return Synchronized(message);
      case v1::WatchClusterResponse::CHANGE_NOT_SET:
        return;
    }
  }

 private:
  void PrintCluster(const v1::WatchClusterResponse& message) {
    const v1::Cluster& cluster = message.cluster();
    int64_t nodes = 0, ready = 0, gpus = 0, used = 0;
    for (const v1::NodePool& pool : cluster.node_pools()) {
      nodes += pool.node_count();
      ready += pool.status().ready_node_count();
      gpus += pool.node_count() * pool.gpus_per_node();
      used += pool.status().used_gpu_count();
    }
    const std::string text =
        fmt::format("{} of {} nodes ready, {} GPUs in use by others, etag {}", FormatGrouped(ready),
                    FormatGrouped(nodes), FormatGrouped(used), cluster.etag());
    if (is_synchronized_ && text == std::exchange(cluster_, text)) return;
    cluster_ = text;
    Emit(message, "cluster", ShortName(cluster.name()), "-", FormatGrouped(gpus), "-", "-", text);
  }

  void PrintReservation(const v1::WatchClusterResponse& message) {
    const v1::Reservation& one = message.reservation();
    seen_.insert(one.name());
    std::string& etag = etags_[one.name()];
    if (etag == one.etag()) return;
    const bool is_new = etag.empty();
    etag = one.etag();
    std::string what = fmt::format("{}, {}", BookingText(one), one.nodes());
    if (!one.plan().empty()) what += ", " + one.plan();
    if (!one.description().empty()) what += ": " + one.description();
    if (IsInForce(one) && !one.conflict().empty()) what += " (" + one.conflict() + ")";
    Emit(message, is_new ? "booked" : "changed", ShortName(one.name()), one.node_pool(), FormatGrouped(one.gpu_count()),
         TimeText(ToTime(one.start_time())), TimeText(ToTime(one.end_time())), what);
  }

  void PrintRemoved(const std::string& name) {
    if (etags_.erase(name) == 0) return;
    v1::WatchClusterResponse message;
    message.set_deleted_reservation(name);
    Emit(message, "gone", ShortName(name), "-", "-", "-", "-", "released, ended or expired");
  }

  void Synchronized(const v1::WatchClusterResponse& message) {
    std::vector<std::string> gone;
    for (const auto& [name, etag] : etags_) {
      if (!seen_.contains(name)) gone.push_back(name);
    }
    for (const std::string& name : gone) PrintRemoved(name);
    if (std::exchange(is_synchronized_, true)) return;
    if (session_.format() != OutputFormat::kTable) Emit(message, "", "", "", "", "", "", "");
  }

  void Emit(const v1::WatchClusterResponse& message, std::string_view change, const std::string& name,
            const std::string& pool, const std::string& gpus, const std::string& from, const std::string& to,
            const std::string& what) {
    std::ostream& out = session_.out();
    if (session_.format() == OutputFormat::kJson) {
      // A line each, so that a reader knows where one ends.
      out << nlohmann::ordered_json::parse(ToJson(message), nullptr, false).dump() << '\n';
    } else if (session_.format() == OutputFormat::kYaml) {
      out << "---\n" << ToYaml(message);
    } else {
      if (!std::exchange(has_header_, true) && session_.style().headers) {
        out << Line("CHANGE", "NAME", "POOL", "GPUS", "FROM", "TO", "WHAT") << '\n';
      }
      out << Printable(Line(change, name, pool, gpus, from, to, what)) << '\n';
    }
    out.flush();
  }

  Session& session_;
  std::string cluster_;
  std::map<std::string, std::string> etags_;  ///< Of what was printed, by name.
  std::set<std::string> seen_;                ///< Since the view began.
  bool is_synchronized_ = false;
  bool has_header_ = false;
};

/// Prints the cluster and what is booked of it, then every change, until it is deleted.
absl::StatusOr<ExitCode> Watch(const std::string& name, Session& session) {
  v1::WatchClusterRequest request;
  request.set_name(name);
  ClusterPrinter printer(session);
  bool has_begun = false;
  const absl::Status status = session.Watch<Stub, v1::WatchClusterRequest, v1::WatchClusterResponse>(
      &Stub::WatchCluster, request, [&](const v1::WatchClusterResponse& message) {
        has_begun = true;
        printer.Print(message);
        return static_cast<bool>(session.out());
      });
  if (absl::IsNotFound(status) && has_begun) {
    session.Warn("the cluster was deleted");
    return ExitCode::kOk;
  }
  RETURN_IF_ERROR(status);
  return ExitCode::kOk;
}

}  // namespace

void AddClusterWatchCommand(CLI::App& noun, Action& chosen) {
  const auto name = std::make_shared<std::string>();
  CLI::App& command = *noun.add_subcommand("watch", "Print a cluster and what is booked of it, then every change");
  command.add_option("name", *name, "Name of the cluster")->required();
  command.callback([name, &chosen] { chosen = [name](Session& session) { return Watch(*name, session); }; });
}

}  // namespace planner::plannerctl
