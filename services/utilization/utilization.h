#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/store/store.h"
#include "core/utilization/recent_gpus.h"
#include "core/utilization/recent_mean.h"
#include "core/utilization/seen_times.h"
#include "core/utilization/summary.h"
#include "planner/v1/cluster_service.pb.h"
#include "services/bookings/bookings.h"
#include "services/utilization/node_index.h"
#include "services/utilization/options.h"

namespace planner::utilization {

/// What was measured of a pool, or of several.
struct Recently {
  Total busy, tensor_active;  ///< Of the last minutes.
  RecentGpus::Count gpus;     ///< Likewise.
  absl::Time newest;          ///< Of the newest sample, however old it is.

  void Merge(const Recently& other) {
    busy.Merge(other.busy);
    tensor_active.Merge(other.tensor_active);
    gpus.measured += other.gpus.measured;
    gpus.occupied += other.gpus.occupied;
    newest = std::max(newest, other.newest);
  }
};

/// What the GPUs of the clusters did: takes samples, keeps them rolled up by pool and hour, and tells. Replicas add up: each one adds
/// what it was sent to what is stored, in a transaction. Thread-safe.
class Utilization {
 public:
  /// All must outlive it.
  Utilization(store::Store& store, bookings::Bookings& bookings, const base::Clock& clock, UtilizationOptions options);
  /// Writes what still waits.
  ~Utilization();
  Utilization(const Utilization&) = delete;
  Utilization& operator=(const Utilization&) = delete;

  /// Takes the samples that can be taken, and counts the others with why. INVALID_ARGUMENT: the message is no request; NOT_FOUND: there is
  /// no such cluster. `message_number`, from 1, is said in refusals from the second message on. What is taken is durable after the next
  /// Flush that is OK.
  absl::Status Report(const std::string& cluster, const v1::ReportUtilizationRequest& request, int64_t message_number,
                      v1::ReportUtilizationResponse& tally);

  /// Writes all that was taken before. Callers at the same time share a write. The store's error: it will be written with the next one.
  absl::Status Flush();

  absl::StatusOr<v1::GetUtilizationResponse> Get(const v1::GetUtilizationRequest& request);

  /// Puts old hours together into days and drops old days. Flush does it as well, once an hour.
  absl::Status RollUp();

  /// By cluster and pool: of all of which a sample is known, the minutes as far as they were sent to this server.
  std::map<std::pair<std::string, std::string>, Recently> Recent();

  /// The last good values of pools and how old they are at `now`; of a pool that was never measured nothing, unless there is trouble. Takes no
  /// lock that is held while samples are taken: every estimate asks.
  std::vector<v1::MeasuredUtilization> Latest(const std::vector<std::pair<std::string, std::string>>& clusters_and_pools, absl::Time now);

  /// Why the last question to a cluster's Prometheus brought nothing, for answers; empty: it did.
  void NoteTrouble(const std::string& cluster, const std::string& trouble);

  /// The nodes of a cluster, by name. NOT_FOUND: there is no such cluster.
  absl::StatusOr<std::shared_ptr<const NodeIndex>> Nodes(const std::string& cluster) { return NodesOf(cluster, clock_.Now()); }

  /// Summaries that are not written yet.
  size_t waiting();

  int64_t accepted_count() const { return accepted_; }
  int64_t refused_count() const { return refused_; }

 private:
  struct Index {
    std::string etag;  ///< Of the cluster's version.
    std::shared_ptr<const NodeIndex> nodes;
  };
  using PoolKey = std::pair<std::string, std::string>;  ///< Cluster and pool.
  struct Means {
    RecentMean busy, tensor_active;
    RecentGpus gpus;
    absl::Time newest = absl::InfinitePast();
  };

  /// What was last measured of a pool: the means up to then.
  struct Last {
    absl::Time newest = absl::InfinitePast();
    std::optional<double> busy, tensor_active;
    RecentGpus::Count gpus;
  };

  absl::StatusOr<std::shared_ptr<const NodeIndex>> NodesOf(const std::string& cluster, absl::Time now);
  /// Why not, or OK: it is taken.
  absl::Status Take(const std::string& cluster, const NodeIndex& nodes, const std::string& field,
                    const v1::UtilizationSample& sample, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(const std::map<std::string, Summary>& summaries);
  absl::Status RollUpDay(const std::string& day_name, const Summary& empty, const std::vector<std::string>& hour_names);
  /// Summaries of a pool that touch [start, end).
  absl::StatusOr<std::vector<Summary>> Read(const std::string& cluster, const std::string& pool, absl::Time start,
                                            absl::Time end);
  /// Keeps the last good values of the pools that a message has touched.
  void NoteTouched() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Of what is stored: other servers, or one before this one, may have taken it.
  void NoteStored(const PoolKey& pool, const Summary& summary);
  void WriteUntilTheEnd();

  store::Store& store_;
  bookings::Bookings& bookings_;
  const base::Clock& clock_;
  const UtilizationOptions options_;
  std::atomic<int64_t> accepted_ = 0;
  std::atomic<int64_t> refused_ = 0;

  /// Held while something is written: who waits for it finds its own samples written together with others'.
  base::Mutex write_mutex_;
  absl::Time rolled_up_ ABSL_GUARDED_BY(write_mutex_) = absl::InfinitePast();

  base::Mutex mutex_;
  base::Condition changed_;
  base::Condition ending_;
  std::map<std::string, Index> indices_ ABSL_GUARDED_BY(mutex_);    ///< By cluster.
  std::map<std::string, Summary> waiting_ ABSL_GUARDED_BY(mutex_);  ///< To be added to records, by name.
  std::map<PoolKey, Means> recent_ ABSL_GUARDED_BY(mutex_);
  SeenTimes seen_ ABSL_GUARDED_BY(mutex_);
  std::set<PoolKey> touched_ ABSL_GUARDED_BY(mutex_);  ///< By the message that is being taken.
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);

  base::Mutex last_mutex_;  ///< Held for moments; taken within mutex_, never the other way round.
  std::map<PoolKey, Last> last_ ABSL_GUARDED_BY(last_mutex_);
  std::map<std::string, std::string> troubles_ ABSL_GUARDED_BY(last_mutex_);  ///< By cluster.
};

}  // namespace planner::utilization
