#include "services/server/plans.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/server/reservations.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

constexpr store::Kind kKind = store::Kind::kPlan;
constexpr int kPlansOfAPage = 100;

absl::StatusOr<v1::Plan> Parse(const store::Record& record) {
  v1::Plan plan;
  if (plan.ParseFromString(record.value)) return plan;
  return absl::DataLossError(fmt::format("plans/{}: the stored value cannot be read", record.name));
}

constexpr absl::Duration kUsualHold = absl::Minutes(10);
/// Estimates of one plan whose deadline others keep breaking by booking what it was to have.
constexpr int kMostEstimates = 4;
/// Why an estimate has to be made anew: never seen by a caller.
constexpr char kTooLate[] = "TOO_LATE_NOW";

/// What the first recommendation needs. INVALID_ARGUMENT where it is of no cluster.
absl::StatusOr<bookings::Wish> WishOf(const v1::Plan& plan) {
  const v1::Recommendation& best = plan.estimate().recommendations(0);
  if (best.cluster().empty()) {
    return base::InvalidField("hold", "needs a cluster: there are no cards to hold of a GPU type alone");
  }
  bookings::Wish wish;
  wish.pool = best.node_pool();
  wish.gpu_count = best.gpu_count();
  wish.start = cluster::ToMicros(convert::TimeFromProto(best.start_time()));
  const absl::Time finish =
      convert::TimeFromProto(best.start_time()) + convert::DurationFromProto(best.total_duration());
  wish.duration = std::max<cluster::Micros>(1, cluster::ToMicros(finish) - wish.start);
  wish.may_wait = true;
  wish.tenant = plan.request().resources().tenant();
  return wish;
}

/// What is held of a calendar for a plan whose first recommendation it is; moves that where it cannot start any more when it was to.
absl::StatusOr<v1::Reservation> Reserve(const v1::Hold& hold, const bookings::ClusterCalendar& calendar, absl::Time now,
                                        v1::Plan& plan) {
  ASSIGN_OR_RETURN(const bookings::Wish wish, WishOf(plan));
  ASSIGN_OR_RETURN(v1::Reservation reservation, calendar.Find(wish));
  v1::Recommendation& best = *plan.mutable_estimate()->mutable_recommendations(0);
  const absl::Time planned = convert::TimeFromProto(best.start_time());
  const absl::Time start = convert::TimeFromProto(reservation.start_time());
  if (cluster::ToMicros(start) != cluster::ToMicros(planned)) {
    const absl::Time finish = start + convert::DurationFromProto(best.total_duration());
    const v1::Resources& limits = plan.request().resources();
    if (limits.has_deadline_time() && finish > convert::TimeFromProto(limits.deadline_time())) {
      return base::WithReason(
          absl::AbortedError("others have booked what the plan was to have, again and again: try again"), kTooLate);
    }
    plan.mutable_estimate()->add_warnings(fmt::format(
        "others have booked meanwhile: starts {} later than was estimated", absl::FormatDuration(start - planned)));
    *best.mutable_start_time() = convert::TimeToProto(start);
    *best.mutable_finish_time() = convert::TimeToProto(finish);
  }
  const absl::Duration expires_in = hold.has_expires_in() ? convert::DurationFromProto(hold.expires_in()) : kUsualHold;
  reservation.set_state(v1::Reservation::HELD);
  *reservation.mutable_expire_time() = convert::TimeToProto(now + expires_in);
  reservation.set_description(plan.description());
  return reservation;
}

absl::Status NoLongerHolds(std::string_view why) {
  return base::WithReason(
      absl::FailedPreconditionError(fmt::format("the plan no longer holds, make a new one: {}", why)),
      "NO_LONGER_HOLDS");
}

/// Books what the first recommendation needs, from its start, or from now on if that has passed; nothing where there is no cluster or no
/// end. FAILED_PRECONDITION, reason NOT_FREE, QUOTA_EXCEEDED, DEADLINE_MISSED or NO_LONGER_HOLDS.
absl::Status BookFirm(const std::string& id, v1::Plan& plan, bookings::Ledgers& ledgers) {
  if (plan.estimate().recommendations().empty()) return absl::OkStatus();
  v1::Recommendation& best = *plan.mutable_estimate()->mutable_recommendations(0);
  const absl::Duration length = convert::DurationFromProto(best.total_duration());
  if (best.cluster().empty() || length <= absl::ZeroDuration()) return absl::OkStatus();
  const bookings::ClusterCalendar* calendar = ledgers.calendars().Find(best.cluster());
  if (calendar == nullptr) return NoLongerHolds(fmt::format("there is no cluster \"{}\" any more", best.cluster()));
  ASSIGN_OR_RETURN(bookings::Wish wish, WishOf(plan));
  wish.may_wait = false;
  if (const cluster::Micros now = cluster::ToMicros(ledgers.now()); wish.start < now) {
    wish.start = now;
    *best.mutable_start_time() = convert::TimeToProto(ledgers.now());
    *best.mutable_finish_time() = convert::TimeToProto(ledgers.now() + length);
  }
  const v1::Resources& limits = plan.request().resources();
  if (limits.has_deadline_time() &&
      convert::TimeFromProto(best.finish_time()) > convert::TimeFromProto(limits.deadline_time())) {
    return base::WithReason(
        absl::FailedPreconditionError("the plan would start too late for its deadline by now: make a new one"),
        "DEADLINE_MISSED");
  }
  absl::StatusOr<v1::Reservation> reservation = calendar->Find(wish);
  if (absl::IsInvalidArgument(reservation.status())) {
    return NoLongerHolds(fmt::format("the cluster has no pool \"{}\" any more", wish.pool));
  }
  RETURN_IF_ERROR(reservation.status());
  if (reservation->gpu_type() != best.gpu_type() || reservation->node_count() != best.node_count()) {
    return NoLongerHolds(fmt::format("it is of {} nodes of {}, and its pool now offers {} of {}", best.node_count(),
                                     best.gpu_type(), reservation->node_count(), reservation->gpu_type()));
  }
  reservation->set_state(v1::Reservation::FIRM);
  reservation->set_description(plan.description());
  reservation->set_plan("plans/" + id);
  ASSIGN_OR_RETURN(*plan.mutable_reservation(),
                   StoreReservation(best.cluster(), id, *std::move(reservation), "", ledgers));
  return absl::OkStatus();
}

/// FAILED_PRECONDITION, reason HOLD_EXPIRED or NO_LONGER_HOLDS, or as BookFirm where nothing was held.
absl::Status MakeFirm(const std::string& id, v1::Plan& plan, bookings::Ledgers& ledgers) {
  if (!plan.has_reservation()) return BookFirm(id, plan, ledgers);
  v1::Reservation& copy = *plan.mutable_reservation();
  const std::string name = RecordName(copy);
  const absl::StatusOr<store::Record> record = ledgers.Get(store::Kind::kReservation, name);
  if (absl::IsNotFound(record.status())) {
    return base::WithReason(
        absl::FailedPreconditionError("the plan's hold has expired, and its GPUs may be someone else's: make "
                                      "a new plan"),
        "HOLD_EXPIRED");
  }
  RETURN_IF_ERROR(record.status());
  if (!copy.conflict().empty()) {
    return base::WithReason(absl::FailedPreconditionError(fmt::format("the plan no longer holds: {}", copy.conflict())),
                            "NO_LONGER_HOLDS");
  }
  v1::Reservation reservation;
  if (!reservation.ParseFromString(record->value)) {
    return absl::DataLossError(fmt::format("reservation {}: the stored value cannot be read", name));
  }
  for (v1::Reservation* one : {&reservation, &copy}) {
    one->set_state(v1::Reservation::FIRM);
    one->clear_expire_time();
  }
  ASSIGN_OR_RETURN(const store::Record written,
                   ledgers.Update(store::Kind::kReservation, name, "", reservation.SerializeAsString()));
  copy.set_etag(written.etag);
  *copy.mutable_update_time() = convert::TimeToProto(written.update_time);
  return absl::OkStatus();
}

absl::Status Release(const std::string& /*id*/, v1::Plan& plan, bookings::Ledgers& ledgers) { return ReleaseHeld(plan, ledgers); }

}  // namespace

absl::StatusOr<v1::Plan> Plans::FromRecord(const store::Record& record) const {
  ASSIGN_OR_RETURN(v1::Plan plan, Parse(record));
  plan.set_name("plans/" + record.name);
  plan.set_etag(record.etag);
  *plan.mutable_create_time() = convert::TimeToProto(record.create_time);
  *plan.mutable_update_time() = convert::TimeToProto(record.update_time);
  if (plan.reservation().state() == v1::Reservation::HELD &&
      convert::TimeFromProto(plan.reservation().expire_time()) <= clock_.Now()) {
    plan.mutable_reservation()->set_state(v1::Reservation::EXPIRED);
  }
  return plan;
}

absl::StatusOr<v1::Plan> Plans::Create(const v1::CreatePlanRequest& request, absl::Time deadline,
                                       const base::Cancellation& cancelled) {
  RETURN_IF_ERROR(validate::Validate(request));
  if (!request.request_id().empty()) {
    const absl::StatusOr<store::Record> earlier = store_.GetByRequestId(kKind, request.request_id());
    if (earlier.ok()) return FromRecord(*earlier);
    if (!absl::IsNotFound(earlier.status())) return earlier.status();
  }
  for (int estimates = 1;; ++estimates) {
    absl::StatusOr<v1::EstimateResponse> estimate = estimator_.Estimate(request.plan().request(), deadline, cancelled);
    if (!estimate.ok()) {
      return base::DetailOf(estimate.status()).field.empty() ? estimate.status()
                                                             : base::AtField("plan.request", estimate.status());
    }
    v1::Plan plan;
    plan.set_state(estimate->recommendations().empty() ? v1::Plan::INFEASIBLE : v1::Plan::PLANNED);
    *plan.mutable_request() = request.plan().request();
    *plan.mutable_estimate() = *std::move(estimate);
    plan.set_description(request.plan().description());
    absl::StatusOr<v1::Plan> stored = Store(request, std::move(plan));
    if (stored.ok() || base::DetailOf(stored.status()).reason != kTooLate) return stored;
    if (estimates == kMostEstimates) return base::WithReason(stored.status(), "CALENDAR_CHANGED");
  }
}

absl::StatusOr<v1::Plan> Plans::Store(const v1::CreatePlanRequest& request, v1::Plan plan) {
  const bool holds = request.has_hold() && plan.state() == v1::Plan::PLANNED;
  const std::string cluster = holds ? plan.estimate().recommendations(0).cluster() : "";
  if (holds) RETURN_IF_ERROR(WishOf(plan).status());
  if (request.validate_only()) {
    if (!holds) return plan;
    const absl::Time now = clock_.Now();
    const absl::Status done = bookings_.Look(now, [&](bookings::Calendars& calendars) -> absl::Status {
      const bookings::ClusterCalendar* calendar = calendars.Find(cluster);
      if (calendar == nullptr) return store::NoSuchRecord(store::Kind::kCluster, cluster);
      ASSIGN_OR_RETURN(*plan.mutable_reservation(), Reserve(request.hold(), *calendar, now, plan));
      return absl::OkStatus();
    });
    RETURN_IF_ERROR(done);
    return plan;
  }
  v1::Plan created;
  const absl::Status done = bookings_.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
    if (!request.request_id().empty()) {
      const absl::StatusOr<store::Record> earlier = ledgers.GetByRequestId(kKind, request.request_id());
      if (!absl::IsNotFound(earlier.status())) {
        RETURN_IF_ERROR(earlier.status());
        ASSIGN_OR_RETURN(created, FromRecord(*earlier));
        return absl::OkStatus();
      }
    }
    const std::string id = TimedId(ledgers.now(), ids_);
    v1::Plan kept = plan;
    if (holds) {
      ASSIGN_OR_RETURN(const bookings::ClusterCalendar* calendar,
                       ledgers.Find("plan.request.resources.cluster", cluster));
      ASSIGN_OR_RETURN(v1::Reservation reservation, Reserve(request.hold(), *calendar, ledgers.now(), kept));
      reservation.set_plan("plans/" + id);
      ASSIGN_OR_RETURN(*kept.mutable_reservation(), StoreReservation(cluster, id, std::move(reservation), "", ledgers));
    }
    ASSIGN_OR_RETURN(const store::Record record,
                     ledgers.Create(kKind, id, kept.SerializeAsString(), request.request_id()));
    ASSIGN_OR_RETURN(created, FromRecord(record));
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return created;
}

absl::StatusOr<v1::Plan> Plans::Get(const v1::GetPlanRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("name", request.name()));
  ASSIGN_OR_RETURN(const store::Record record, store_.Get(kKind, id));
  return FromRecord(record);
}

absl::StatusOr<v1::ListPlansResponse> Plans::List(const v1::ListPlansRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, validate::PageSize(request.page_size(), kPlansOfAPage));
  ASSIGN_OR_RETURN(const store::Page page,
                   store_.List(kKind, {store::Order::kNewestFirst, page_size, request.page_token()}));
  v1::ListPlansResponse response;
  for (const store::Record& record : page.records) {
    ASSIGN_OR_RETURN(v1::Plan plan, FromRecord(record));
    // Up to 4 MiB each: whoever wants one gets it with its plan.
    plan.mutable_request()->mutable_model()->clear_hugging_face_config();
    plan.mutable_request()->mutable_model()->clear_layer_graph();
    *response.add_plans() = std::move(plan);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::Plan> Plans::Move(const std::string& name, const std::string& etag, v1::Plan::State to,
                                     bool (*may_leave)(v1::Plan::State),
                                     absl::Status (*with)(const std::string& id, v1::Plan& plan,
                                                          bookings::Ledgers& ledgers)) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("name", name));
  v1::Plan moved;
  const absl::Status done = bookings_.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
    ASSIGN_OR_RETURN(const store::Record record, ledgers.Get(kKind, id));
    if (!etag.empty() && etag != record.etag) return store::EtagChanged(kKind, id, etag, record.etag);
    ASSIGN_OR_RETURN(v1::Plan plan, Parse(record));
    if (!may_leave(plan.state())) {
      return absl::FailedPreconditionError(fmt::format("plan \"{}\" cannot become {}: state={}", record.name,
                                                       v1::Plan::State_Name(to), v1::Plan::State_Name(plan.state())));
    }
    plan.set_state(to);
    RETURN_IF_ERROR(with(id, plan, ledgers));
    ASSIGN_OR_RETURN(const store::Record written, ledgers.Update(kKind, id, "", plan.SerializeAsString()));
    ASSIGN_OR_RETURN(moved, FromRecord(written));
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return moved;
}

absl::StatusOr<v1::Plan> Plans::Confirm(const v1::ConfirmPlanRequest& request) {
  return Move(
      request.name(), request.etag(), v1::Plan::CONFIRMED,
      [](v1::Plan::State state) { return state == v1::Plan::PLANNED; }, MakeFirm);
}

absl::StatusOr<v1::Plan> Plans::Cancel(const v1::CancelPlanRequest& request) {
  return Move(
      request.name(), request.etag(), v1::Plan::CANCELLED,
      [](v1::Plan::State state) { return state == v1::Plan::PLANNED || state == v1::Plan::CONFIRMED; }, Release);
}

absl::Status Plans::Delete(const v1::DeletePlanRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("name", request.name()));
  // Where nothing is kept yet, a deletion must not begin to keep something.
  RETURN_IF_ERROR(store_.Get(kKind, id).status());
  return bookings_.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
    ASSIGN_OR_RETURN(const store::Record record, ledgers.Get(kKind, id));
    if (!request.etag().empty() && request.etag() != record.etag) {
      return store::EtagChanged(kKind, id, request.etag(), record.etag);
    }
    ASSIGN_OR_RETURN(v1::Plan plan, Parse(record));
    RETURN_IF_ERROR(ReleaseHeld(plan, ledgers));
    return ledgers.Delete(kKind, id, "");
  });
}

}  // namespace planner::server
