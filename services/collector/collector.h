#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "planner/v1/utilization.pb.h"
#include "services/collector/gpu_names.h"
#include "services/collector/http_client.h"
#include "services/collector/outcome.h"
#include "services/collector/readings.h"
#include "services/collector/source.h"
#include "services/telemetry/log.h"
#include "services/utilization/utilization.h"

namespace planner::collector {

/// Asks the Prometheuses of the configuration, round by round, what the GPUs do, and hands it to Utilization as ReportUtilization does. One
/// thread for all of them; no lock is held while it asks. What goes wrong is counted, told to Utilization for its answers, and logged when it
/// changes; the last good values stay. A server that does not answer, or with nonsense, is asked nothing more in that round.
class Collector {
 public:
  /// Calls by outcome.
  using Counts = std::array<int64_t, kOutcomeNames.size()>;

  /// All must outlive it; no log: null.
  Collector(std::vector<Source> sources, utilization::Utilization& utilization, const base::Clock& clock, telemetry::Log* log);
  /// Stops.
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  /// Starts the thread, unless there is nothing to ask. `http` must outlive it, or Stop.
  void Start(HttpClient& http);
  /// Ends the question that is under way, and the thread. It is not started again.
  void Stop();

  size_t source_count() const { return jobs_.size(); }
  const std::string& cluster(size_t source) const { return jobs_[source]->source.cluster; }
  /// How its questions have ended so far.
  Counts CountsOf(size_t source) const;

  /// One round of a source, without the thread: what the thread does.
  void Collect(size_t source, HttpClient& http);

 private:
  /// A source with what is known of it.
  struct Job {
    explicit Job(Source given) : source(std::move(given)), names(source.node_labels.size()) {}
    const Source source;
    GpuNames names;
    std::unordered_map<std::string, absl::Time> taken;  ///< By node and GPU: the time of the newest sample that was handed on.
    absl::Time due = absl::InfinitePast();
    std::string last_kind;  ///< Of the trouble that was logged last.
    std::array<std::atomic<int64_t>, kOutcomeNames.size()> counts = {};
  };
  /// Of a round: samples by node, GPU and time, and how it went.
  struct Round;

  void Work(HttpClient& http);
  /// Of one question; false: the server is not to be asked another one now.
  bool Ask(Job& job, const Query& query, const HttpRequest& request, const utilization::NodeIndex& nodes, HttpClient& http, Round& round);
  static void Take(const Query& query, std::vector<Reading> readings, Round& round);
  void HandOn(Job& job, Round& round);
  void Tell(Job& job, const std::string& kind, const std::string& trouble, bool brought_nothing);

  std::vector<std::unique_ptr<Job>> jobs_;
  utilization::Utilization& utilization_;
  const base::Clock& clock_;
  telemetry::Log* const log_;
  std::atomic<bool> is_ending_ = false;

  base::Mutex mutex_;
  base::Condition ending_;
  HttpClient* http_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::collector
