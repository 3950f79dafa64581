#include <CLI/CLI.hpp>
#include <algorithm>
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
#include "clients/plannerctl/inventory_import.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

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
    ASSIGN_OR_RETURN(const Seen seen, Look(server, session));
    session.StartAgain(absl::ZeroDuration());  // Waiting for the API server is no waiting for the planner.
    return StoreInventory({.name = flags.name, .origin = "Kubernetes", .dry_run = flags.dry_run}, seen.nodes, seen.pods, {}, session);
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
