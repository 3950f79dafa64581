#include "services/app/app.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <prometheus/registry.h>

#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/planner.h"
#include "core/store/store.h"
#include "fmt/format.h"
#include "services/app/counters.h"
#include "services/bookings/bookings.h"
#include "services/catalog/catalog.h"
#include "services/collector/collector.h"
#include "services/convert/cluster.h"
#include "services/feed/change_feed.h"
#include "services/learning/learning.h"
#include "services/server/cluster_server.h"
#include "services/server/clusters.h"
#include "services/server/estimation_server.h"
#include "services/server/inventory.h"
#include "services/server/inventory_metrics.h"
#include "services/server/live_streams.h"
#include "services/server/methods.h"
#include "services/server/plan_server.h"
#include "services/server/progress_streams.h"
#include "services/server/progress_writer.h"
#include "services/server/queue_metrics.h"
#include "services/server/reservations.h"
#include "services/server/run_index.h"
#include "services/server/run_metrics.h"
#include "services/server/run_server.h"
#include "services/server/runs.h"
#include "services/storage/local_store.h"
#include "services/server/utilization_metrics.h"
#include "services/telemetry/measured_counter.h"
#include "services/telemetry/measured_store.h"
#include "services/telemetry/rpc_probe.h"
#include "services/utilization/utilization.h"
#include "services/validate/requests.h"

namespace planner::app {
namespace {

constexpr int kMaxRequestBytes = 16 << 20;
/// Threads that wait for calls, beside those that work on them.
constexpr int kPollers = 8;

/// Everything that is measured, on one page.
class Metrics : public telemetry::PageSource {
 public:
  /// All must outlive it.
  Metrics(const prometheus::Registry& registry, std::vector<const telemetry::PageSource*> sources, const Counters& counters)
      : registry_(registry), sources_(std::move(sources)), counters_(counters) {}
  void Write(telemetry::Page& page) const override {
    page.Family("planner_build_info", "The version that runs.", telemetry::Page::Type::kGauge);
    page.Sample(telemetry::LabelText({{"version", Version()}}), int64_t{1});
    for (const prometheus::MetricFamily& family : registry_.Collect()) page.Add(family);
    telemetry::WritePlugins(counters_.set().Infos(), counters_.Restarts(), page);
    for (const telemetry::PageSource* source : sources_) source->Write(page);
  }

 private:
  const prometheus::Registry& registry_;
  const std::vector<const telemetry::PageSource*> sources_;
  const Counters& counters_;
};

/// Shared records tell what other replicas change; a file has to be asked.
feed::ChangeFeedOptions FeedOptions(bool is_shared, store::Store& store) {
  feed::ChangeFeedOptions feed;
  if (!is_shared) return feed;
  feed.wait = [&store, version = int64_t{-1}](absl::Duration at_most) mutable {
    const absl::StatusOr<int64_t> now = store.WaitForChange(version, at_most);
    if (now.ok()) version = *now;
  };
  return feed;
}

std::string ClusterField(size_t index) { return fmt::format("clusters[{}]", index); }

/// gRPC's health and reflection services are switched on for the process, not for one server.
void EnableBuiltInServices() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)enabled;
}

}  // namespace

/// In the order of their dependencies; destroyed in the opposite one.
struct App::Parts {
  Parts(AppOptions given, hardware::GpuCatalog catalog, std::unique_ptr<store::Store> shared_records,
        std::vector<plugin_host::PluginSpec> plugin_specs)
      : options(std::move(given)),
        gpus(std::move(catalog)),
        is_shared(shared_records != nullptr),
        records(is_shared ? std::move(shared_records) : storage::MakeLocalStore(options.state_dir, *options.clock)),
        counters(std::move(plugin_specs), options.plugin_host, registry, *options.clock, options.log) {
    bookings.OnWrite([this] { feed.Wake(); });
  }

  const AppOptions options;
  const hardware::GpuCatalog gpus;
  const catalog::ModelCatalog models;
  prometheus::Registry registry;
  const bool is_shared;
  const std::unique_ptr<store::Store> records;
  telemetry::StoreProbe store_probe{registry};
  telemetry::MeasuredStore store{*records, store_probe, *options.clock};
  bookings::Bookings bookings{store, gpus, *options.clock};
  server::Inventory inventory{bookings, gpus, *options.clock};
  server::RunIndex run_index{store};
  utilization::Utilization utilization{store, bookings, *options.clock, options.utilization};
  collector::Collector collector{options.utilization_sources, utilization, *options.clock, options.log};
  const Counters counters;
  const planning::Planner planner{counters.set()};
  model_files::ModelFileStore model_files{options.state_dir.empty() ? "" : options.state_dir + "/models", options.model_files,
                                          *options.clock};
  learning::Learning learning{store, options.log};
  server::Estimator estimator{models, model_files, inventory, learning, utilization, counters.set(), planner, Version()};
  server::RunValidator run_validator{models, gpus, *options.clock, Version()};
  server::IdSource& ids = options.ids != nullptr ? *options.ids : server::IdSource::Random();
  server::Plans plans{estimator, store, bookings, *options.clock, ids};
  server::Reservations reservations{bookings, *options.clock, ids};
  server::Runs runs{store, bookings, run_index, *options.clock, ids};
  server::ProgressWriter progress_writer{runs};
  telemetry::RpcProbe probe{registry, server::kMethods};
  server::RpcRunner rpc{{.max_call = options.max_call, .max_concurrent_calls = options.max_concurrent_calls},
                        *options.clock,
                        ids,
                        probe,
                        options.log};
  server::EstimationServer estimation_server{rpc, estimator, run_validator, models, counters.set(), model_files, Version()};
  server::LiveStreams watches{options.max_watches};
  server::LiveStreams reports{options.max_reports};
  server::LiveStreams progress{options.max_progress};
  feed::ChangeFeed feed{store, *options.clock, FeedOptions(is_shared, store)};
  server::ClusterServer cluster_server{rpc,  store, bookings, reservations, utilization,
                                       feed, watches, reports,  gpus,         *options.clock};
  server::PlanServer plan_server{rpc, plans, feed, watches};
  server::ProgressStreams progress_streams{rpc, progress_writer, progress, *options.clock};
  server::RunServer run_server{rpc, runs, progress_streams};

  const server::InventoryMetrics inventory_metrics{bookings, *options.clock};
  const server::UtilizationMetrics utilization_metrics{inventory, utilization, collector};
  const server::RunMetrics run_metrics{run_index, *options.clock};
  const server::QueueMetrics queue_metrics{bookings, progress_writer, utilization, watches, reports, progress};
  const std::shared_ptr<const Metrics> metrics = std::make_shared<const Metrics>(
      registry, std::vector<const telemetry::PageSource*>{&queue_metrics, &inventory_metrics, &utilization_metrics, &run_metrics}, counters);

  base::Mutex mutex;
  std::unique_ptr<grpc::Server> in_process ABSL_GUARDED_BY(mutex);
};

absl::StatusOr<std::unique_ptr<App>> App::Create(AppOptions options, std::unique_ptr<store::Store> shared_records) {
  ASSIGN_OR_RETURN(hardware::GpuCatalog gpus, hardware::GpuCatalog::Create(options.gpu_types));
  for (size_t i = 0; i < options.clusters.size(); ++i) {
    RETURN_IF_ERROR(validate::ValidateCluster(ClusterField(i), options.clusters[i]));
    RETURN_IF_ERROR(convert::NormalizedCluster(ClusterField(i), options.clusters[i], gpus).status());
  }
  ASSIGN_OR_RETURN(std::vector<plugin_host::PluginSpec> plugins,
                   plugin_host::MakeSpecs(options.counter_plugins, plugin_host::FindPlugins(options.plugin_folder)));
  EnableBuiltInServices();
  return std::unique_ptr<App>(
      new App(std::make_unique<Parts>(std::move(options), std::move(gpus), std::move(shared_records), std::move(plugins))));
}

App::App(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

App::~App() {
  EndStreams();
  parts_->watches.BreakOffAll();
  base::MutexLock lock(parts_->mutex);
  if (parts_->in_process != nullptr) parts_->in_process->Shutdown();
  parts_->feed.Stop();  // Before what its subscribers stand on.
}

absl::Status App::Prepare() {
  RETURN_IF_ERROR(parts_->store.Open());
  parts_->model_files.RemoveExpired();
  RETURN_IF_ERROR(parts_->utilization.RollUp());
  for (size_t i = 0; i < parts_->options.clusters.size(); ++i) {
    RETURN_IF_ERROR(server::SeedCluster(ClusterField(i), parts_->options.clusters[i], parts_->gpus, parts_->store));
  }
  return absl::OkStatus();
}

void App::Register(grpc::ServerBuilder& builder) {
  grpc::ResourceQuota quota("planner");
  quota.SetMaxThreads(parts_->options.max_concurrent_calls + kPollers);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.RegisterService(&parts_->estimation_server);
  builder.RegisterService(&parts_->cluster_server);
  builder.RegisterService(&parts_->plan_server);
  builder.RegisterService(&parts_->run_server);
}

void App::EndCallsAt(absl::Time time) { parts_->rpc.EndCallsAt(time); }

void App::CollectUtilization(collector::HttpClient& http) { parts_->collector.Start(http); }

void App::EndStreams() {
  parts_->collector.Stop();
  parts_->watches.EndAll();
  parts_->reports.EndAll();
  parts_->progress.EndAll();
}

std::shared_ptr<grpc::Channel> App::InProcessChannel() {
  base::MutexLock lock(parts_->mutex);
  if (parts_->in_process == nullptr) {
    grpc::ServerBuilder builder;
    Register(builder);
    parts_->in_process = builder.BuildAndStart();
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return parts_->in_process->InProcessChannel(arguments);
}

std::shared_ptr<const telemetry::PageSource> App::metrics() { return parts_->metrics; }

}  // namespace planner::app
