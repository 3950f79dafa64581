#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/hardware/gpu_type.h"
#include "core/store/store.h"
#include "planner/config/v1/config.pb.h"
#include "planner/v1/cluster.pb.h"
#include "services/collector/http_client.h"
#include "services/collector/source.h"
#include "services/model_files/model_file_store.h"
#include "services/plugin_host/discovery.h"
#include "services/plugin_host/plugin_spec.h"
#include "services/utilization/options.h"

namespace planner::server {
class IdSource;
}  // namespace planner::server

namespace planner::telemetry {
class Log;
class PageSource;
}  // namespace planner::telemetry

namespace planner::app {

/// What the composition depends on beside its defaults. Plain values and borrowed references.
struct AppOptions {
  /// Folder of planner.db and of uploaded model files. Read lazily; created with the first write. Empty: state lives in memory.
  std::string state_dir;
  /// The site's own GPU types, or corrections of the built-in ones.
  std::vector<hardware::GpuType> gpu_types;
  /// Clusters that Prepare creates where the store has none of the name. Validated by Create.
  std::vector<v1::Cluster> clusters;
  /// Longest time of one call, whatever the caller's deadline.
  absl::Duration max_call = absl::Seconds(30);
  /// Calls that are worked on at once; the surplus is refused with RESOURCE_EXHAUSTED.
  int max_concurrent_calls = 64;
  /// Streams that watch something, those that report utilization, and those that report the progress of runs; the surplus is refused with
  /// RESOURCE_EXHAUSTED.
  size_t max_watches = 1000;
  size_t max_reports = 1000;
  size_t max_progress = 10'000;
  /// How long measured utilization is kept.
  utilization::UtilizationOptions utilization;
  /// Prometheuses that CollectUtilization asks; at most one for each cluster.
  std::vector<collector::Source> utilization_sources;
  /// Uploaded model files: they are in `models` of state_dir, or in a temporary folder.
  model_files::StoreOptions model_files;
  /// Counters in processes of their own, as the configuration has them.
  std::vector<config::v1::CounterPlugin> counter_plugins;
  /// Folder with more of them (planner-counter-NAME); "": none. Default: `plugins` beside the program that runs.
  std::string plugin_folder = plugin_host::PluginFolderOfThisProgram();
  plugin_host::HostOptions plugin_host;
  /// Must outlive the App.
  const base::Clock* clock = &base::Clock::Real();
  /// Where names that nobody has chosen come from; null: chance. Must outlive the App.
  server::IdSource* ids = nullptr;
  /// Where calls are logged; null: nowhere. Must outlive the App.
  telemetry::Log* log = nullptr;
};

/// The whole planner, composed: catalogues, counter, store, planner and the gRPC services over them.
/// It opens no port and, before the first call that needs it, no file: plannerd puts it behind ports
/// (daemon.h), plannerctl calls it through InProcessChannel. Safe for concurrent use.
class App {
 public:
  /// A few milliseconds. `shared_records` are kept where other processes write them too, which it tells of (WaitForChange); null: records are in
  /// planner.db of the state_dir, or in memory. INVALID_ARGUMENT: a GPU type or a cluster of the options is wrong; the field is that of
  /// planner.config.v1.Config.
  static absl::StatusOr<std::unique_ptr<App>> Create(AppOptions options, std::unique_ptr<store::Store> shared_records = nullptr);
  /// Ends the in-process server; calls in flight are waited for, streams that watch are ended.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Opens (creates, migrates) the store now and puts the options' clusters into it, so that a folder
  /// that cannot be written is known at start. Not needed for InProcessChannel.
  absl::Status Prepare();

  /// Adds services, health, reflection and limits to a server that is to be built. The server must not
  /// outlive the App.
  void Register(grpc::ServerBuilder& builder);

  /// Calls that are still at work at `time` are cancelled then, and answered with UNAVAILABLE: for the end of the daemon.
  void EndCallsAt(absl::Time time);

  /// Asks the utilization sources from now on, in a thread of its own, until EndStreams. `http` must outlive that, or the App.
  void CollectUtilization(collector::HttpClient& http);

  /// Ends the streams that would go on for ever (watches, reports of utilization and of progress) with UNAVAILABLE, and takes no others; asks no
  /// utilization source any more: for the end of the daemon. Does not wait for the streams.
  void EndStreams();

  /// A channel to the same services in this process, through no socket. The first call starts the
  /// server. The channel must not be used after the App is gone.
  std::shared_ptr<grpc::Channel> InProcessChannel();

  /// What /metrics shows. Must not be asked after the App is gone.
  std::shared_ptr<const telemetry::PageSource> metrics();

 private:
  struct Parts;
  explicit App(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// "0.1.0": the version of this build.
std::string Version();

/// Where the state is kept if nobody says so: $STATE_DIRECTORY (systemd), $XDG_STATE_HOME/planner,
/// $HOME/.local/state/planner; empty if none of them is set.
std::string DefaultStateDir();

}  // namespace planner::app
