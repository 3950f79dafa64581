#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "clients/kubernetes/api_server.h"
#include "clients/kubernetes/cluster_state.h"
#include "clients/plannerctl/api_server_flags.h"
#include "clients/plannerctl/cluster_commands.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/foreign_error.h"
#include "clients/plannerctl/inventory_import.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

struct ImportFlags {
  std::string name = "kubernetes";
  std::string watch;
  ApiServerFlags api_server;
  bool dry_run = false;
};

/// Nodes and pods, all of them or none.
struct Seen {
  std::vector<slurm::SlurmNode> nodes;
  std::vector<slurm::SlurmJob> pods;
};

slurm::SlurmNode NodeOf(const kubernetes::NodeState& state) {
  slurm::SlurmNode node{.name = state.name, .gpus = {{state.gpu_product, state.gpus}}, .state_text = "NotReady", .reason = state.reason};
  if (!state.is_ready) {
    node.state = slurm::SlurmNode::State::kDown;
  } else if (state.is_cordoned) {
    node.state = slurm::SlurmNode::State::kDrained;
    node.state_text = "cordoned";
  }
  return node;
}

slurm::SlurmJob JobOf(const kubernetes::PodState& pod) {
  return {.name = pod.name,
          .account = pod.name_space,
          .state = slurm::SlurmJob::State::kRunning,
          .end = pod.end.value_or(absl::InfiniteFuture()),
          .nodes = {pod.node},
          .gpus = {pod.gpus},
          .plan = pod.plan,
          .description = "pod " + pod.name};
}

/// Nodes with GPUs that the planner does not know (slices of MIG, a new product, no label) are a warning: the others are there all the same.
absl::Status LeaveOutUnknownTypes(Seen& seen, Session& session) {
  std::map<std::string, absl::Status> types;
  std::vector<slurm::SlurmNode> known;
  for (slurm::SlurmNode& node : seen.nodes) {
    const std::string& product = node.gpus.front().type;
    const auto [type, is_new] = types.try_emplace(product, absl::OkStatus());
    if (is_new && product.empty()) type->second = absl::NotFoundError("has no label nvidia.com/gpu.product");
    if (is_new && !product.empty()) {
      v1::GetGpuTypeRequest get;
      get.set_name(product);
      type->second = session.Call(&v1::ClusterService::Stub::GetGpuType, get).status();
      if (!type->second.ok() && !absl::IsNotFound(type->second)) return type->second;
    }
    if (type->second.ok()) {
      known.push_back(std::move(node));
    } else if (is_new) {
      session.Warn(fmt::format("nodes like {} are left out: {}", node.name, std::string(type->second.message())));
    }
  }
  seen.nodes = std::move(known);
  return absl::OkStatus();
}

/// What cannot be read is a warning where it is one pod or node of many: the others are there all the same.
absl::StatusOr<Seen> Look(const kubernetes::ApiServer& server, Session& session) {
  Seen seen;
  RETURN_IF_ERROR(server.List("/api/v1/nodes", "", [&](const nlohmann::json& item) {
    const auto node = kubernetes::ReadNode(item);
    if (!node.ok()) session.Warn(fmt::format("a node is left out: {}", std::string(node.status().message())));
    if (node.ok() && node->has_value()) seen.nodes.push_back(NodeOf(**node));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(server.List("/api/v1/pods", "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed", [&](const nlohmann::json& item) {
    const auto pod = kubernetes::ReadPod(item);
    if (!pod.ok()) session.Warn(fmt::format("a pod is left out: {}", std::string(pod.status().message())));
    if (pod.ok() && pod->has_value()) seen.pods.push_back(JobOf(**pod));
    return absl::OkStatus();
  }));
  // The same cluster is to give the same inventory, in whatever order it is told.
  std::sort(seen.pods.begin(), seen.pods.end(), [](const slurm::SlurmJob& a, const slurm::SlurmJob& b) { return a.name < b.name; });
  return seen;
}

absl::StatusOr<ExitCode> ImportKubernetes(const ImportFlags& flags, Session& session) {
  ASSIGN_OR_RETURN(const kubernetes::ApiServerOptions options, ApiServerOf(flags.api_server, session));
  const kubernetes::ApiServer server(options);
  const auto import = [&]() -> absl::StatusOr<v1::Cluster> {
    absl::StatusOr<Seen> seen = Look(server, session);
    if (!seen.ok()) return OfSomebodyElse(seen.status());
    session.StartAgain(absl::ZeroDuration());  // Waiting for the API server is no waiting for the planner.
    RETURN_IF_ERROR(LeaveOutUnknownTypes(*seen, session));
    return StoreInventory({.name = flags.name, .origin = "Kubernetes", .dry_run = flags.dry_run}, seen->nodes, seen->pods, {}, session);
  };
  return ImportOnceOrOften(flags.watch, import, session);
}

}  // namespace

void AddKubernetesImportCommand(CLI::App& import, Action& chosen) {
  const auto flags = std::make_shared<ImportFlags>();
  CLI::App& command = *import.add_subcommand("kubernetes", "Nodes with GPUs, their states and the pods that have them, as the API server tells of them");
  command.add_option("name", flags->name, "The planner's name of the cluster [kubernetes]");
  AddApiServerFlags(command, flags->api_server);
  AddFlag(command, "--watch", flags->watch, "Look again so often, until it is ended; errors are warnings then", "INTERVAL");
  command.add_flag("--dry-run", flags->dry_run, "Check everything and store nothing");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return ImportKubernetes(*flags, session); }; });
}

}  // namespace planner::plannerctl
