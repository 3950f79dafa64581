#include "services/bookings/cluster_calendar.h"

#include <algorithm>
#include <tuple>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"

namespace planner::bookings {
namespace {

using cluster::NodeRange;

Micros StartOf(const v1::Reservation& reservation) {
  return cluster::ToMicros(convert::TimeFromProto(reservation.start_time()));
}

Micros EndOf(const v1::Reservation& reservation) {
  return cluster::ToMicros(convert::TimeFromProto(reservation.end_time()));
}

std::vector<NodeRange> Common(const std::vector<NodeRange>& a, const std::vector<NodeRange>& b) {
  std::vector<NodeRange> common;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const int32_t first = std::max(a[i].first, b[j].first);
    const int32_t last = std::min(a[i].last, b[j].last);
    if (first <= last) common.push_back({first, last});
    a[i].last < b[j].last ? ++i : ++j;
  }
  return common;
}

/// "2026-12-01T08:00:00Z".
std::string TimeText(Micros micros) {
  return micros == cluster::kForever
             ? "ever"
             : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", cluster::FromMicros(micros), absl::UTCTimeZone());
}

/// What to say to who cannot have GPUs when he wants them.
std::string LaterText(std::optional<Micros> earliest) {
  return earliest.has_value() ? fmt::format("; the earliest start is {}", TimeText(*earliest)) : ", and not later for so long";
}

/// `earliest`: when it could be had, for programs; nothing: never, or nobody has looked.
absl::Status Failed(std::string_view reason, const std::string& message, std::optional<Micros> earliest) {
  std::map<std::string, std::string> metadata;
  if (earliest.has_value()) metadata["earliest_start_time"] = TimeText(*earliest);
  return base::WithReason(absl::FailedPreconditionError(message), reason, metadata);
}

/// "plans/…" of a block that names one.
std::string PlanOf(const convert::NodeBlock& block) {
  return block.plan.starts_with("plans/") ? block.plan : "plans/" + block.plan;
}

/// GPUs in use from some moment on.
class Level {
 public:
  explicit Level(Micros from) : from_(from) { levels_[from] = 0; }

  void Add(const schedule::Use& use) {
    if (use.end <= from_) return;
    const auto end = Boundary(use.end);
    for (auto at = Boundary(std::max(from_, use.start)); at != end; ++at) at->second += GpusOf(use);
  }
  /// The most that would be in use at once during the use, with it; 0 if it is over.
  int64_t MostWith(const schedule::Use& use) const {
    if (use.end <= from_) return 0;
    int64_t most = 0;
    for (auto at = std::prev(levels_.upper_bound(std::max(from_, use.start)));
         at != levels_.end() && at->first < use.end; ++at) {
      most = std::max(most, at->second);
    }
    return most + GpusOf(use);
  }

 private:
  static int64_t GpusOf(const schedule::Use& use) { return cluster::CountOf(use.nodes) * use.gpus_per_node; }
  /// The step that begins at `time`; made if there is none.
  std::map<Micros, int64_t>::iterator Boundary(Micros time) {
    const auto next = levels_.lower_bound(time);
    if (next != levels_.end() && next->first == time) return next;
    return levels_.emplace_hint(next, time, std::prev(next)->second);
  }

  const Micros from_;
  std::map<Micros, int64_t> levels_;  ///< From each time on, up to the next.
};

/// Who comes first where not all can have what they booked.
using Rank = std::tuple<bool, bool, absl::Time, std::string>;

Rank RankOf(const std::string& id, const Booking& booking, Micros now) {
  const v1::Reservation& reservation = booking.reservation;
  return {StartOf(reservation) > now, reservation.state() == v1::Reservation::HELD, booking.create_time, id};
}

}  // namespace

ClusterCalendar::ClusterCalendar(std::string id, v1::Cluster cluster, std::string etag, std::map<std::string, Booking> bookings,
                                 const hardware::GpuCatalog& gpus)
    : id_(std::move(id)), gpus_(gpus), cluster_(std::move(cluster)), etag_(std::move(etag)) {
  for (auto& [record, booking] : bookings) {
    const Key key{StartOf(booking.reservation), record};
    keys_[record] = key;
    if (!booking.reservation.conflict().empty()) conflicting_.insert(record);
    bookings_[key] = std::move(booking);
  }
  Rebuild();
}

void ClusterCalendar::Change(v1::Cluster cluster, std::string etag) {
  // Text is no reason to make it all anew.
  cluster_.set_description(cluster.description());
  const bool is_same = cluster_.SerializeAsString() == cluster.SerializeAsString();
  cluster_ = std::move(cluster);
  etag_ = std::move(etag);
  if (!is_same) Rebuild();
}

void ClusterCalendar::Rebuild() {
  pools_.clear();
  tenant_uses_.clear();
  plans_in_use_.clear();
  for (const v1::TenantQuota& quota : cluster_.quotas()) {
    tenant_uses_.push_back({quota.tenant(), quota.node_pool(), quota.max_gpus(), {}, nullptr});
  }
  std::set<std::pair<std::string, std::string>> booked;  // Plans and pools.
  for (const auto& [key, booking] : bookings_)
    booked.emplace(booking.reservation.plan(), booking.reservation.node_pool());
  for (cluster::Pool& pool : convert::PoolsOf(cluster_, gpus_)) {
    int index = 0;
    while (cluster_.node_pools(index).name() != pool.name) ++index;
    absl::StatusOr<convert::PoolNodes> nodes = convert::NodesOf("cluster", cluster_, index);
    // What is stored was checked; an older version may have stored less.
    if (!nodes.ok()) nodes = convert::PoolNodes{cluster::HostList::Numbered(pool.name, *pool.node_count), {}};
    std::vector<schedule::Use> uses;
    for (const convert::NodeBlock& block : nodes->blocks) {
      if (!block.plan.empty()) {
        plans_in_use_.insert(PlanOf(block));
        if (booked.contains({PlanOf(block), pool.name})) continue;  // Its reservation stands for it.
      }
      uses.push_back(block.use);
      if (!block.tenant.empty()) CountUse(block.tenant, pool.name, block.use, 1);
    }
    for (const auto& [key, booking] : bookings_) {
      if (booking.reservation.node_pool() == pool.name) uses.push_back(UseOf(booking.reservation, nodes->names, pool.gpus_per_node));
    }
    schedule::Ledger ledger(*pool.node_count, pool.gpus_per_node, cluster_.node_pools(index).nodes_per_rack(), uses);
    pools_.push_back({std::move(pool), *std::move(nodes), std::move(ledger)});
  }
  for (const auto& [key, booking] : bookings_) Count(booking.reservation, 1);
}

bool ClusterCalendar::IsBooked(const convert::NodeBlock& block, const std::string& pool) const {
  if (block.plan.empty()) return false;
  return std::any_of(bookings_.begin(), bookings_.end(), [&](const auto& one) {
    return one.second.reservation.plan() == PlanOf(block) && one.second.reservation.node_pool() == pool;
  });
}

bool ClusterCalendar::IsRebuiltFor(const v1::Reservation& reservation) const {
  return !reservation.plan().empty() && plans_in_use_.contains(reservation.plan());
}

const ClusterCalendar::PoolState* ClusterCalendar::PoolNamed(const std::string& name) const {
  const auto pool =
      std::find_if(pools_.begin(), pools_.end(), [&](const PoolState& one) { return one.pool.name == name; });
  return pool == pools_.end() ? nullptr : &*pool;
}

schedule::Use ClusterCalendar::UseOf(const v1::Reservation& reservation, const cluster::HostList& names, int gpus_per_node) {
  const int64_t nodes = std::max<int64_t>(1, reservation.node_count());
  const int64_t gpus = std::min<int64_t>(gpus_per_node, reservation.gpu_count() / nodes);
  return {names.FindKnown(reservation.nodes()).nodes, static_cast<int>(gpus), StartOf(reservation), EndOf(reservation)};
}

schedule::Use ClusterCalendar::UseOf(const v1::Reservation& reservation, const PoolState& pool) {
  return UseOf(reservation, pool.nodes.names, pool.ledger.gpus_per_node());
}

void ClusterCalendar::CountUse(const std::string& tenant, const std::string& pool, const schedule::Use& use,
                               int64_t sign) {
  const int64_t gpus = sign * cluster::CountOf(use.nodes) * use.gpus_per_node;
  for (TenantUse& one : tenant_uses_) {
    if (one.tenant != tenant || (!one.pool.empty() && one.pool != pool)) continue;
    one.gpus.Add(use.start, use.end, gpus);
    one.quota.reset();
  }
}

void ClusterCalendar::Count(const v1::Reservation& reservation, int64_t sign) {
  if (reservation.tenant().empty() || tenant_uses_.empty()) return;
  if (const PoolState* pool = PoolNamed(reservation.node_pool())) {
    CountUse(reservation.tenant(), pool->pool.name, UseOf(reservation, *pool), sign);
  }
}

std::vector<const ClusterCalendar::TenantUse*> ClusterCalendar::UsesOf(const std::string& tenant, const std::string& pool) const {
  std::vector<const TenantUse*> uses;
  for (const TenantUse& one : tenant_uses_) {
    if (!tenant.empty() && one.tenant == tenant && (one.pool.empty() || one.pool == pool)) uses.push_back(&one);
  }
  return uses;
}

std::shared_ptr<const cluster::Quota> ClusterCalendar::QuotaOf(const TenantUse& use) {
  if (use.quota == nullptr) {
    use.quota = std::make_shared<const cluster::Quota>(cluster::Quota{use.tenant, use.pool, use.max_gpus, use.gpus.steps()});
  }
  return use.quota;
}

void ClusterCalendar::Put(const std::string& id, Booking booking) {
  if (const Booking* known = Find(id)) {
    if (known->etag == booking.etag) return;
    Remove(id);
  }
  const v1::Reservation& reservation = booking.reservation;
  const Key key{StartOf(reservation), id};
  keys_[id] = key;
  const Booking& stored = bookings_[key] = std::move(booking);
  if (!stored.reservation.conflict().empty()) conflicting_.insert(id);
  if (IsRebuiltFor(stored.reservation)) return Rebuild();
  for (PoolState& pool : pools_) {
    if (pool.pool.name == stored.reservation.node_pool()) pool.ledger.Add(UseOf(stored.reservation, pool));
  }
  Count(stored.reservation, 1);
}

void ClusterCalendar::Remove(const std::string& id) {
  const auto key = keys_.find(id);
  if (key == keys_.end()) return;
  const auto booking = bookings_.find(key->second);
  const v1::Reservation reservation = std::move(booking->second.reservation);
  bookings_.erase(booking);
  keys_.erase(key);
  conflicting_.erase(id);
  if (IsRebuiltFor(reservation)) return Rebuild();
  for (PoolState& pool : pools_) {
    if (pool.pool.name == reservation.node_pool()) pool.ledger.Remove(UseOf(reservation, pool));
  }
  Count(reservation, -1);
}

const Booking* ClusterCalendar::Find(const std::string& id) const {
  const auto key = keys_.find(id);
  return key == keys_.end() ? nullptr : &bookings_.at(key->second);
}

absl::StatusOr<v1::Reservation> ClusterCalendar::Find(const Wish& wish) const {
  const PoolState* pool = wish.pool.empty() && pools_.size() == 1 ? &pools_.front() : PoolNamed(wish.pool);
  if (pool == nullptr) {
    return base::InvalidField("node_pool",
                              wish.pool.empty() ? fmt::format("is missing: the cluster has {} pools", pools_.size())
                                                : fmt::format("is no pool of the cluster: node_pool=\"{}\"", wish.pool),
                              "UNKNOWN_POOL");
  }
  const schedule::Ledger& ledger = pool->ledger;
  schedule::Shape shape = schedule::ShapeOf(wish.gpu_count, ledger.gpus_per_node());
  std::vector<NodeRange> nodes;
  if (!wish.nodes.empty()) {
    auto named = pool->nodes.names.Find(wish.nodes);
    if (!named.ok()) {
      const absl::string_view message = named.status().message();
      return base::InvalidField("nodes", {message.data(), message.size()}, "UNKNOWN_NODE");
    }
    nodes = *std::move(named);
    shape = {cluster::CountOf(nodes), ledger.gpus_per_node()};
  }
  const Micros end = wish.start + wish.duration;
  const std::vector<const TenantUse*> uses = UsesOf(wish.tenant, pool->pool.name);
  const bool in_quota = std::all_of(uses.begin(), uses.end(), [&](const TenantUse* use) {
    return use->gpus.Highest(wish.start, end) + shape.gpus() <= use->max_gpus;
  });
  const std::string when = fmt::format("from {} to {}", TimeText(wish.start), TimeText(end));
  Micros start = wish.start;
  if (!nodes.empty()) {
    if (!ledger.IsFree({nodes, shape.gpus_per_node, start, end})) {
      return Failed("NOT_FREE", fmt::format("{}/{}: {} are not all free {}", id_, pool->pool.name, wish.nodes, when), std::nullopt);
    }
  } else if (in_quota) {
    nodes = ledger.Place(shape, start, end);
  }
  // Most wishes come from an estimate, and can be had when it said: only others are searched for.
  std::optional<Micros> earliest;
  if (nodes.empty()) {
    schedule::Request request{.shape = shape, .duration = wish.duration, .not_before = wish.start};
    std::vector<std::shared_ptr<const cluster::Quota>> quotas;
    for (const TenantUse* use : uses) request.quotas.push_back(quotas.emplace_back(QuotaOf(*use)).get());
    earliest = EarliestStart(*ledger.View(), request);
  }
  if (earliest.has_value() && wish.may_wait) {
    start = *earliest;
    nodes = ledger.Place(shape, start, start + wish.duration);
  }
  if (!in_quota && (nodes.empty() || !wish.nodes.empty())) {
    return Failed("QUOTA_EXCEEDED",
                  fmt::format("{} GPUs {} exceed the quota of tenant \"{}\"{}", shape.gpus(), when, wish.tenant, LaterText(earliest)), earliest);
  }
  if (nodes.empty()) {
    return Failed("NOT_FREE", fmt::format("{}/{}: {} GPUs (on {} of {} nodes) are not free {}{}", id_, pool->pool.name, shape.gpus(), shape.nodes,
                                          ledger.node_count(), when, LaterText(earliest)),
                  earliest);
  }
  v1::Reservation found;
  found.set_node_pool(pool->pool.name);
  found.set_gpu_type(pool->pool.gpu.name);
  found.set_gpu_count(shape.gpus());
  found.set_node_count(cluster::CountOf(nodes));
  found.set_nodes(pool->nodes.names.Text(nodes));
  *found.mutable_start_time() = convert::TimeToProto(cluster::FromMicros(start));
  *found.mutable_end_time() = convert::TimeToProto(cluster::FromMicros(start + wish.duration));
  found.set_tenant(wish.tenant);
  return found;
}

std::string ClusterCalendar::ConflictOf(const v1::Reservation& reservation, Micros now) const {
  const PoolState* pool = PoolNamed(reservation.node_pool());
  if (pool == nullptr) return fmt::format("the cluster has no pool \"{}\" any more", reservation.node_pool());
  // What an older version has booked has no type.
  if (!reservation.gpu_type().empty() && reservation.gpu_type() != pool->pool.gpu.name) {
    return fmt::format("its pool has {} now, not {}", pool->pool.gpu.name, reservation.gpu_type());
  }
  const int64_t gpus_per_node = reservation.gpu_count() / std::max<int64_t>(1, reservation.node_count());
  if (gpus_per_node > pool->ledger.gpus_per_node()) {
    return fmt::format("its nodes have {} GPUs now, not {}", pool->ledger.gpus_per_node(), gpus_per_node);
  }
  const cluster::HostList::Known known = pool->nodes.names.FindKnown(reservation.nodes());
  if (known.unknown > 0) {
    return fmt::format("{} of its {} nodes are not in the pool any more", known.unknown, reservation.node_count());
  }
  const schedule::Use use = UseOf(reservation, *pool);
  if (!pool->ledger.IsOverbooked(use)) return "";
  bool goes_on = false;
  for (const convert::NodeBlock& block : pool->nodes.blocks) {
    if (block.use.start >= use.end || block.use.end <= use.start) continue;
    if (block.use.gpus_per_node + use.gpus_per_node <= pool->ledger.gpus_per_node()) continue;
    const std::vector<NodeRange> common = Common(block.use.nodes, use.nodes);
    if (common.empty()) continue;
    if (block.kind == convert::NodeBlock::Kind::kDrained && use.start <= now) {
      goes_on = true;
      continue;
    }
    const std::string until =
        block.use.end == cluster::kForever ? "" : fmt::format(" until {}", TimeText(block.use.end));
    constexpr size_t kShown = 200;
    return fmt::format("{} of its {} nodes are {}{}: {}", cluster::CountOf(common), reservation.node_count(),
                       block.what, until, pool->nodes.names.Text(common).substr(0, kShown));
  }
  return goes_on ? "" : "more GPUs of its nodes are booked than there are";
}

std::map<std::string, std::string> ClusterCalendar::OverQuota(Micros now) const {
  std::map<std::string, std::string> over;
  for (const v1::TenantQuota& quota : cluster_.quotas()) {
    const auto of_quota = [&](const std::string& tenant, const std::string& pool) {
      return tenant == quota.tenant() && (quota.node_pool().empty() || quota.node_pool() == pool);
    };
    Level level(now);
    // What runs outside of the calendar cannot be moved.
    for (const PoolState& pool : pools_) {
      for (const convert::NodeBlock& block : pool.nodes.blocks) {
        if (!block.tenant.empty() && of_quota(block.tenant, pool.pool.name) && !IsBooked(block, pool.pool.name))
          level.Add(block.use);
      }
    }
    std::vector<std::pair<Rank, const std::pair<const Key, Booking>*>> ranked;
    for (const auto& one : bookings_) {
      if (!of_quota(one.second.reservation.tenant(), one.second.reservation.node_pool())) continue;
      ranked.emplace_back(RankOf(one.first.second, one.second, now), &one);
    }
    std::sort(ranked.begin(), ranked.end());
    for (const auto& [rank, one] : ranked) {
      const v1::Reservation& reservation = one->second.reservation;
      const PoolState* pool = PoolNamed(reservation.node_pool());
      if (pool == nullptr) continue;
      const schedule::Use use = UseOf(reservation, *pool);
      if (level.MostWith(use) <= quota.max_gpus()) {
        level.Add(use);
        continue;
      }
      over.emplace(
          one->first.second,
          fmt::format("tenant \"{}\" may have {} GPUs{} at once, and others of its bookings come first", quota.tenant(),
                      quota.max_gpus(), quota.node_pool().empty() ? "" : " of " + quota.node_pool()));
    }
  }
  return over;
}

std::vector<cluster::Pool> ClusterCalendar::Pools() {
  std::vector<cluster::Pool> pools;
  std::vector<std::shared_ptr<const cluster::Quota>> quotas;
  for (const TenantUse& use : tenant_uses_) quotas.push_back(QuotaOf(use));
  for (PoolState& state : pools_) {
    cluster::Pool& pool = pools.emplace_back(state.pool);
    pool.calendar = state.ledger.View();
    pool.quotas = quotas;
  }
  return pools;
}

}  // namespace planner::bookings
