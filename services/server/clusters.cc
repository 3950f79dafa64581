#include "services/server/clusters.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/bookings/conflicts.h"
#include "services/convert/cluster.h"
#include "services/convert/pool_nodes.h"
#include "services/convert/time.h"
#include "services/server/reservations.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr store::Kind kKind = store::Kind::kCluster;
constexpr int kClustersOfAPage = 100;

/// The answer to a request that only checks: no etag, no times.
v1::Cluster Unstored(v1::Cluster cluster) {
  cluster.set_name("clusters/" + cluster.name());
  return cluster;
}

/// The stored cluster with the fields of the mask from `given`; an empty mask or "*" is all of them.
v1::Cluster Merge(v1::Cluster stored, const v1::Cluster& given, const google::protobuf::FieldMask& mask) {
  const auto replaces = [&](std::string_view path) {
    const auto names = [&](const std::string& entry) { return entry == path || entry == "*"; };
    return mask.paths().empty() || std::any_of(mask.paths().begin(), mask.paths().end(), names);
  };
  if (replaces("node_pools")) *stored.mutable_node_pools() = given.node_pools();
  if (replaces("currency")) stored.set_currency(given.currency());
  if (replaces("description")) stored.set_description(given.description());
  if (replaces("maintenance_windows")) *stored.mutable_maintenance_windows() = given.maintenance_windows();
  if (replaces("quotas")) *stored.mutable_quotas() = given.quotas();
  return stored;
}

/// Whether the two differ in nothing that calendars are made of.
bool SameCalendar(v1::Cluster a, v1::Cluster b) {
  for (v1::Cluster* cluster : {&a, &b}) {
    cluster->clear_description();
    cluster->clear_currency();
  }
  return a.SerializeAsString() == b.SerializeAsString();
}

/// What bookings are called in warnings: the plan's name, or the reservation's own.
std::string BookingName(const std::string& cluster, const std::string& id, const v1::Reservation& reservation) {
  return reservation.plan().empty() ? fmt::format("clusters/{}/reservations/{}", cluster, id) : reservation.plan();
}

/// Says in the answer which bookings are newly in conflict; the first ones by name.
void WarnOf(const std::vector<std::pair<std::string, v1::Reservation>>& changed, const std::string& id,
            v1::Cluster& answer) {
  constexpr int kMostNamed = 20;
  int more = 0;
  for (const auto& [reservation_id, reservation] : changed) {
    if (reservation.conflict().empty()) continue;
    if (answer.warnings_size() == kMostNamed) {
      ++more;
    } else {
      answer.add_warnings(
          fmt::format("{} no longer holds: {}", BookingName(id, reservation_id, reservation), reservation.conflict()));
    }
  }
  if (more > 0) answer.add_warnings(fmt::format("{} more bookings no longer hold", more));
}

/// What would be in conflict if the cluster became `changed`.
void WarnOfChange(const bookings::ClusterCalendar* calendar, const v1::Cluster& changed, absl::Time now,
                  v1::Cluster& answer) {
  if (calendar == nullptr) return;
  bookings::ClusterCalendar after = *calendar;
  after.Change(changed, "");
  WarnOf(bookings::ChangedConflicts(after, /*gone=*/false, now), calendar->id(), answer);
}

/// FAILED_PRECONDITION, reason HAS_RESERVATIONS, where anything is held or firm.
absl::Status CheckNothingIsBooked(const bookings::ClusterCalendar* calendar) {
  if (calendar == nullptr || calendar->bookings().empty()) return absl::OkStatus();
  constexpr int kMostNamed = 3;
  std::string names;
  int named = 0;
  for (const auto& [key, booking] : calendar->bookings()) {
    if (named++ == kMostNamed) {
      names += ", …";
      break;
    }
    names += (names.empty() ? "" : ", ") + BookingName(calendar->id(), key.second, booking.reservation);
  }
  return base::WithReason(
      absl::FailedPreconditionError(fmt::format("GPUs of cluster \"{}\" are booked, and its deletion is not forced: "
                                                "bookings={} ({})",
                                                calendar->id(), calendar->bookings().size(), names)),
      "HAS_RESERVATIONS");
}

}  // namespace

absl::StatusOr<v1::Cluster> ClusterFromRecord(const store::Record& record, absl::Time now) {
  v1::Cluster cluster;
  if (!cluster.ParseFromString(record.value)) {
    return absl::DataLossError(fmt::format("clusters/{}: the stored value cannot be read", record.name));
  }
  cluster.set_name("clusters/" + record.name);
  cluster.set_etag(record.etag);
  *cluster.mutable_create_time() = convert::TimeToProto(record.create_time);
  *cluster.mutable_update_time() = convert::TimeToProto(record.update_time);
  convert::SetStatus(now, cluster);
  return cluster;
}

absl::StatusOr<v1::Cluster> CreateCluster(const v1::CreateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          bookings::Bookings& bookings) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const v1::Cluster cluster, convert::NormalizedCluster("cluster", request.cluster(), gpus));
  if (request.validate_only()) return Unstored(cluster);
  v1::Cluster created;
  const absl::Status done = bookings.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
    ASSIGN_OR_RETURN(const store::Record record,
                     ledgers.Create(kKind, cluster.name(), cluster.SerializeAsString(), request.request_id()));
    ASSIGN_OR_RETURN(const auto changed, bookings::MarkConflicts(record.name, /*gone=*/false, ledgers));
    ASSIGN_OR_RETURN(created, ClusterFromRecord(record, ledgers.now()));
    WarnOf(changed, record.name, created);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return created;
}

absl::StatusOr<v1::Cluster> GetCluster(const v1::GetClusterRequest& request, absl::Time now, store::Store& store) {
  ASSIGN_OR_RETURN(const std::string id, validate::ClusterId("name", request.name()));
  ASSIGN_OR_RETURN(const store::Record record, store.Get(kKind, id));
  return ClusterFromRecord(record, now);
}

absl::StatusOr<v1::ListClustersResponse> ListClusters(const v1::ListClustersRequest& request, absl::Time now,
                                                      store::Store& store) {
  ASSIGN_OR_RETURN(const int page_size, validate::PageSize(request.page_size(), kClustersOfAPage));
  ASSIGN_OR_RETURN(const store::Page page, store.List(kKind, {store::Order::kByName, page_size, request.page_token()}));
  v1::ListClustersResponse response;
  for (const store::Record& record : page.records) {
    ASSIGN_OR_RETURN(*response.add_clusters(), ClusterFromRecord(record, now));
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::Cluster> UpdateCluster(const v1::UpdateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          bookings::Bookings& bookings) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const std::string id, validate::ClusterId("cluster.name", request.cluster().name()));
  v1::Cluster updated;
  absl::Time confirmed = absl::InfinitePast();
  const absl::Status done = bookings.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
    const absl::StatusOr<store::Record> record = ledgers.Get(kKind, id);
    const bool is_missing = absl::IsNotFound(record.status()) && request.allow_missing();
    if (!is_missing) RETURN_IF_ERROR(record.status());
    const std::string& etag = request.cluster().etag();
    if (!is_missing && !etag.empty() && etag != record->etag) return store::EtagChanged(kKind, id, etag, record->etag);
    v1::Cluster stored;
    if (!is_missing && !stored.ParseFromString(record->value)) {
      return absl::DataLossError(fmt::format("clusters/{}: the stored value cannot be read", id));
    }
    // Checked as a whole: what is given may name pools that are there.
    v1::Cluster merged = is_missing ? request.cluster() : Merge(stored, request.cluster(), request.update_mask());
    ASSIGN_OR_RETURN(merged, convert::NormalizedCluster("cluster", merged, gpus, &stored));
    if (request.validate_only()) {
      const v1::Cluster after = merged;
      updated = Unstored(std::move(merged));
      WarnOfChange(ledgers.calendars().Find(id), after, ledgers.now(), updated);
      return absl::OkStatus();
    }
    const std::string value = merged.SerializeAsString();
    confirmed = ledgers.now();
    ASSIGN_OR_RETURN(const store::Record written,
                     is_missing ? ledgers.Create(kKind, id, value, "") : ledgers.Update(kKind, id, "", value));
    ASSIGN_OR_RETURN(updated, ClusterFromRecord(written, ledgers.now()));
    if (!is_missing && SameCalendar(stored, merged)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto changed, bookings::MarkConflicts(id, /*gone=*/false, ledgers));
    WarnOf(changed, id, updated);
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  if (confirmed > absl::InfinitePast()) bookings.Confirm(id, confirmed);
  return updated;
}

absl::Status DeleteCluster(const v1::DeleteClusterRequest& request, store::Store& store, bookings::Bookings& bookings) {
  ASSIGN_OR_RETURN(const std::string id, validate::ClusterId("name", request.name()));
  // Where nothing is kept yet, a deletion must not begin to keep something.
  RETURN_IF_ERROR(store.Get(kKind, id).status());
  return bookings.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
    ASSIGN_OR_RETURN(const store::Record record, ledgers.Get(kKind, id));
    if (!request.etag().empty() && request.etag() != record.etag) {
      return store::EtagChanged(kKind, id, request.etag(), record.etag);
    }
    if (!request.force()) RETURN_IF_ERROR(CheckNothingIsBooked(ledgers.calendars().Find(id)));
    RETURN_IF_ERROR(bookings::MarkConflicts(id, /*gone=*/true, ledgers).status());
    return ledgers.Delete(kKind, id, "");
  });
}

absl::Status SeedCluster(std::string_view field, const v1::Cluster& cluster, const hardware::GpuCatalog& gpus,
                         store::Store& store) {
  ASSIGN_OR_RETURN(const v1::Cluster normalized, convert::NormalizedCluster(field, cluster, gpus));
  const absl::Status status = store.Create(kKind, normalized.name(), normalized.SerializeAsString(), "").status();
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

}  // namespace planner::server
