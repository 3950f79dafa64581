#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/gpu_catalog.h"
#include "core/schedule/ledger.h"
#include "core/schedule/levels.h"
#include "planner/v1/cluster.pb.h"
#include "planner/v1/reservation.pb.h"
#include "services/convert/pool_nodes.h"

namespace planner::bookings {

using cluster::Micros;

/// What is to be booked.
struct Wish {
  std::string pool;       ///< Empty: the cluster's only one.
  int64_t gpu_count = 0;  ///< Above 0, or:
  std::string nodes;      ///< A host list: these, whole.
  Micros start = 0;       ///< Not before.
  Micros duration = 0;    ///< Above 0.
  bool may_wait = false;  ///< Later than `start`, if it has to be.
  std::string tenant;
};

/// A reservation that is in force.
struct Booking {
  v1::Reservation reservation;  ///< Without name, times of the record and etag.
  std::string etag;             ///< Of its record.
  absl::Time create_time;
  absl::Time update_time;
};

/// GPUs by what becomes of them at some moment. Each one is in the first of these that fits, from `down` on.
struct Cards {
  int64_t down = 0;
  int64_t used = 0;    ///< By jobs that the planner has not placed.
  int64_t booked = 0;  ///< By reservations, those of plans among them.
  int64_t maintenance = 0;
  int64_t drained = 0;
  int64_t free = 0;

  int64_t total() const { return down + used + booked + maintenance + drained + free; }
};

/// One cluster: its pools as planning sees them, with who has what of them when. Not safe for concurrent use.
class ClusterCalendar {
 public:
  /// `cluster` is a stored one; `bookings` are as if put there one by one. The catalogue must outlive the calendar.
  ClusterCalendar(std::string id, v1::Cluster cluster, std::string etag, std::map<std::string, Booking> bookings,
                  const hardware::GpuCatalog& gpus);

  /// Takes the place of the cluster as it was; reservations stay.
  void Change(v1::Cluster cluster, std::string etag);

  /// A reservation by the id of its record, new or changed. GPUs that it shares with others are in use by both.
  void Put(const std::string& id, Booking booking);
  void Remove(const std::string& id);
  const Booking* Find(const std::string& id) const;
  /// By start time, then id.
  const std::map<std::pair<Micros, std::string>, Booking>& bookings() const { return bookings_; }

  /// Where and when a wish can be had: a reservation with pool, nodes, counts and times. INVALID_ARGUMENT for pools and nodes that
  /// there are not; FAILED_PRECONDITION, reason NOT_FREE or QUOTA_EXCEEDED.
  absl::StatusOr<v1::Reservation> Find(const Wish& wish) const;

  /// Why a reservation cannot be kept as the cluster is; empty if it can. A job that has begun by `now` goes on on a DRAINED node.
  std::string ConflictOf(const v1::Reservation& reservation, Micros now) const;

  /// Reservations that do not fit into their tenants' quotas from `now` on, by id, with why. Those that have begun come first, then the
  /// firm ones, then by age: what is left of a quota that was cut is theirs, in this order.
  std::map<std::string, std::string> OverQuota(Micros now) const;

  /// Ids of those that are marked as being in conflict.
  const std::set<std::string>& conflicting() const { return conflicting_; }

  /// The pools, each with its calendar and the quotas.
  std::vector<cluster::Pool> Pools();

  /// By GPU type; every type that the cluster has. Time: by its nodes, and the reservations of that moment.
  std::map<std::string, Cards> CardsAt(Micros now) const;
  /// GPUs that reservations hold, on the mean of [now, now + each of the spans), by GPU type. Time: by the reservations that begin by then.
  std::map<std::string, std::vector<double>> MeanBooked(Micros now, std::span<const Micros> spans) const;

  /// When the cluster was written last.
  absl::Time update_time() const { return update_time_; }
  void set_update_time(absl::Time time) { update_time_ = time; }

  const std::string& id() const { return id_; }
  const std::string& etag() const { return etag_; }
  const v1::Cluster& cluster() const { return cluster_; }

 private:
  struct PoolState {
    cluster::Pool pool;
    convert::PoolNodes nodes;
    schedule::Ledger ledger;
  };
  using Key = std::pair<Micros, std::string>;
  /// Of a quota.
  struct TenantUse {
    std::string tenant;
    std::string pool;  ///< Empty: all pools.
    int64_t max_gpus = 0;
    schedule::Levels gpus;
    mutable std::shared_ptr<const cluster::Quota> quota;  ///< Null: to be made anew.
  };

  void Rebuild();
  /// Whether the block's plan has a reservation in the pool, which stands for it.
  bool IsBooked(const convert::NodeBlock& block, const std::string& pool) const;
  bool IsRebuiltFor(const v1::Reservation& reservation) const;
  const PoolState* PoolNamed(const std::string& name) const;
  /// What it takes of a pool, as far as the nodes are there.
  static schedule::Use UseOf(const v1::Reservation& reservation, const cluster::HostList& names, int gpus_per_node);
  static schedule::Use UseOf(const v1::Reservation& reservation, const PoolState& pool);
  void Count(const v1::Reservation& reservation, int64_t sign);
  void CountUse(const std::string& tenant, const std::string& pool, const schedule::Use& use, int64_t sign);
  /// Quotas that the tenant must keep to in the pool.
  std::vector<const TenantUse*> UsesOf(const std::string& tenant, const std::string& pool) const;
  /// One that planning can keep; the same one until the tenant's use changes.
  static std::shared_ptr<const cluster::Quota> QuotaOf(const TenantUse& use);

  const std::string id_;
  const hardware::GpuCatalog& gpus_;
  v1::Cluster cluster_;
  std::string etag_;
  absl::Time update_time_;
  std::vector<PoolState> pools_;
  std::map<Key, Booking> bookings_;
  std::map<std::string, Key> keys_;
  std::set<std::string> conflicting_;
  std::vector<TenantUse> tenant_uses_;  ///< In the order of the cluster's quotas.
  std::set<std::string> plans_in_use_;  ///< That occupations name.
};

}  // namespace planner::bookings
