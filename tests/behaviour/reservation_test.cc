#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Clusters = v1::ClusterService::Stub;
using Plans = v1::PlanService::Stub;
using Estimation = v1::EstimationService::Stub;

constexpr int64_t kDay = 86400;

/// A cluster of four H100 nodes, and reservations at times from its creation on.
class ReservationBehaviour : public PlannerTest {
 protected:
  ReservationBehaviour() {
    now_ = Ask(&Clusters::CreateCluster, "cluster { name: 'main' " + Pool("") + " }").create_time().seconds();
  }

  static std::string Pool(const std::string& more, int nodes = 4) {
    return "node_pools { name: 'h' gpu_type: 'h100' node_count: " + std::to_string(nodes) + " price_per_gpu_hour: 2 " +
           more + " } ";
  }
  void Update(const std::string& cluster) { Ask(&Clusters::UpdateCluster, "cluster { name: 'main' " + cluster + " }"); }
  std::string At(double days) {
    return "{ seconds: " + std::to_string(now_ + static_cast<int64_t>(days * kDay)) + " }";
  }
  std::string Request(int gpus, double from, double to, const std::string& more = "") {
    return "parent: 'main' " + more + " reservation { gpu_count: " + std::to_string(gpus) + " start_time " + At(from) +
           " end_time " + At(to) + " }";
  }
  v1::Reservation Reserve(int gpus, double from, double to) {
    return Ask(&Clusters::CreateReservation, Request(gpus, from, to));
  }
  /// A plan of all or some of the cards, of a job that takes a while.
  static std::string Plan(int gpus, const std::string& more = "") {
    const std::string cards = std::to_string(gpus);
    return "plan { request { model { preset: 'llama-7b' } data_set { token_count: 2e10 } resources { cluster: 'main' "
           "min_gpus: " +
           cards + " max_gpus: " + cards + " } } } " + more;
  }
  static std::string Named(const v1::Plan& plan) { return "name: '" + plan.name() + "' "; }
  static std::string Reason(const grpc::Status& status) { return ErrorInfoOf(status).reason(); }

  int64_t now_ = 0;
};

TEST_P(ReservationBehaviour, BooksWhatIsFreeAndNothingElse) {
  const v1::Reservation first = Reserve(24, 1, 2);
  EXPECT_THAT(first.name(), StartsWith("clusters/main/reservations/"));
  EXPECT_EQ(first.node_pool(), "h");
  EXPECT_EQ(first.node_count(), 3);
  EXPECT_EQ(first.nodes(), "h-[0-2]");
  EXPECT_EQ(first.state(), v1::Reservation::FIRM);
  EXPECT_EQ(Ask(&Clusters::GetReservation, "name: '" + first.name() + "'").SerializeAsString(),
            first.SerializeAsString());
  const grpc::Status overlapping = Fail(&Clusters::CreateReservation, Request(16, 1.5, 3));
  EXPECT_EQ(overlapping.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(overlapping), "NOT_FREE");
  EXPECT_EQ(Reserve(8, 1.5, 3).nodes(), "h-[3]");
  EXPECT_EQ(Reserve(32, 3, 4).node_count(), 4) << "from the very end of the one before";
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 3);
  Ask(&Clusters::DeleteReservation, "name: '" + first.name() + "'");
  EXPECT_EQ(Reserve(16, 1, 2).node_count(), 2);
  EXPECT_EQ(Fail(&Clusters::DeleteReservation, "name: '" + first.name() + "'").error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_P(ReservationBehaviour, PartsOfANodeShareIt) {
  EXPECT_EQ(Reserve(5, 1, 2).nodes(), Reserve(3, 1, 2).nodes());
  EXPECT_EQ(Reserve(8, 1, 2).gpu_count(), 8);
  EXPECT_EQ(Reserve(12, 1, 2).gpu_count(), 16) << "whole nodes";
  EXPECT_EQ(Reason(Fail(&Clusters::CreateReservation, Request(1, 1, 2))), "NOT_FREE");
}

TEST_P(ReservationBehaviour, BadInputNamesItsFieldAndBooksNothing) {
  const auto field = [&](const std::string& request) { return FieldOf(Fail(&Clusters::CreateReservation, request)); };
  EXPECT_EQ(field(""), "parent");
  EXPECT_EQ(field("parent: 'main'"), "reservation");
  EXPECT_EQ(field(Request(0, 1, 2)), "reservation.gpu_count");
  EXPECT_EQ(field(Request(-8, 1, 2)), "reservation.gpu_count");
  EXPECT_EQ(field(Request(8, 2, 1)), "reservation.end_time");
  EXPECT_EQ(field(Request(8, 1, 1)), "reservation.end_time");
  EXPECT_EQ(field(Request(8, -2, 1)), "reservation.start_time");
  EXPECT_EQ(Reason(Fail(&Clusters::CreateReservation, Request(8, -2, 1))), "IN_THE_PAST");
  EXPECT_EQ(field(Request(8, -2, -1)), "reservation.start_time");
  EXPECT_EQ(field("parent: 'main' reservation { nodes: 'h-9' end_time " + At(1) + " }"), "reservation.nodes");
  EXPECT_EQ(field("parent: 'main' reservation { nodes: 'h-[' end_time " + At(1) + " }"), "reservation.nodes");
  EXPECT_EQ(field("parent: 'main' reservation { gpu_count: 8 node_pool: 'x' end_time " + At(1) + " }"),
            "reservation.node_pool");
  EXPECT_EQ(field("parent: 'main' reservation { gpu_count: 8 }"), "reservation.end_time");
  EXPECT_EQ(Fail(&Clusters::CreateReservation, "parent: 'none' reservation { gpu_count: 8 end_time " + At(1) + " }")
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Fail(&Clusters::CreateReservation, Request(40, 1, 2)).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(Ask(&Clusters::ListReservations, "parent: 'main'").reservations().empty());
}

TEST_P(ReservationBehaviour, BadClustersNameTheirFieldAndTheLastGoodOneStays) {
  const std::string before = Ask(&Clusters::GetCluster, "name: 'main'").etag();
  const auto field = [&](const std::string& cluster) {
    return FieldOf(Fail(&Clusters::UpdateCluster, "cluster { name: 'main' " + cluster + " }"));
  };
  const std::string pool = "cluster.node_pools[0].";
  EXPECT_EQ(field(Pool("node_names: 'a[1-3]'")), pool + "node_names");
  EXPECT_EQ(field(Pool("node_names: 'a[1-'")), pool + "node_names");
  EXPECT_EQ(field(Pool("node_conditions { nodes: 'x' state: DOWN }")), pool + "node_conditions[0].nodes");
  EXPECT_EQ(field(Pool("node_conditions { nodes: 'h-1' }")), pool + "node_conditions[0].state");
  EXPECT_EQ(field(Pool("node_conditions { state: DOWN }")), pool + "node_conditions[0].nodes");
  EXPECT_EQ(field(Pool("node_conditions { node_count: 5 state: DOWN }")), pool + "node_conditions[0].node_count");
  EXPECT_EQ(
      field(Pool("node_conditions { nodes: 'h-1' state: DOWN } node_conditions { nodes: 'h-[0-1]' state: DRAINED }")),
      pool + "node_conditions[1].nodes");
  EXPECT_EQ(field(Pool("occupations { node_count: 1 gpus_per_node: 9 }")), pool + "occupations[0].gpus_per_node");
  EXPECT_EQ(field(Pool("occupations { node_count: -1 }")), pool + "occupations[0].node_count");
  EXPECT_EQ(
      field(Pool(
          "occupations { nodes: 'h-[0-1]' gpus_per_node: 5 } occupations { nodes: 'h-2' } occupations { nodes: 'h-1' "
          "gpus_per_node: 5 }")),
      pool + "occupations[2].gpus_per_node");
  EXPECT_EQ(field(Pool("occupations { nodes: 'h-0' } occupations { nodes: 'h-0' }")),
            pool + "occupations[1].gpus_per_node");
  EXPECT_EQ(field(Pool("") + "maintenance_windows { start_time " + At(2) + " end_time " + At(1) + " }"),
            "cluster.maintenance_windows[0].end_time");
  EXPECT_EQ(field(Pool("") + "maintenance_windows { node_pool: 'x' start_time " + At(1) + " end_time " + At(2) + " }"),
            "cluster.maintenance_windows[0].node_pool");
  EXPECT_EQ(field(Pool("") + "quotas { tenant: 't' max_gpus: -1 }"), "cluster.quotas[0].max_gpus");
  EXPECT_EQ(field(Pool("") + "quotas { tenant: 't' } quotas { tenant: 't' }"), "cluster.quotas[1]");
  EXPECT_EQ(Ask(&Clusters::GetCluster, "name: 'main'").etag(), before);
}

TEST_P(ReservationBehaviour, TheStateOfNodesIsShown) {
  Update(
      Pool("node_conditions { nodes: 'h-1' state: DOWN } node_conditions { node_count: 1 state: DRAINED }"
           "occupations { nodes: 'h-0' gpus_per_node: 3 release_time " +
           At(1) + " }"));
  const v1::NodePoolStatus status = Ask(&Clusters::GetCluster, "name: 'main'").node_pools(0).status();
  EXPECT_EQ(status.ready_node_count(), 2);
  EXPECT_EQ(status.down_node_count(), 1);
  EXPECT_EQ(status.drained_node_count(), 1);
  EXPECT_EQ(status.used_gpu_count(), 3);
}

TEST_P(ReservationBehaviour, ARequestIdBooksOnce) {
  const v1::Reservation first = Ask(&Clusters::CreateReservation, Request(32, 1, 2, "request_id: 'r'"));
  EXPECT_EQ(Ask(&Clusters::CreateReservation, Request(32, 1, 2, "request_id: 'r'")).name(), first.name());
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 1);
}

TEST_P(ReservationBehaviour, ValidateOnlyBooksNothing) {
  EXPECT_EQ(Ask(&Clusters::CreateReservation, Request(32, 1, 2, "validate_only: true")).nodes(), "h-[0-3]");
  EXPECT_TRUE(Ask(&Clusters::ListReservations, "parent: 'main'").reservations().empty());
}

TEST_P(ReservationBehaviour, ListsComeInPagesByStart) {
  for (const double start : {3, 1, 2}) Reserve(8, start, start + 0.5);
  const auto first = Ask(&Clusters::ListReservations, "parent: 'main' page_size: 2");
  ASSERT_EQ(first.reservations_size(), 2);
  EXPECT_EQ(first.reservations(0).start_time().seconds(), now_ + kDay);
  EXPECT_EQ(first.reservations(1).start_time().seconds(), now_ + 2 * kDay);
  const auto rest =
      Ask(&Clusters::ListReservations, "parent: 'main' page_size: 2 page_token: '" + first.next_page_token() + "'");
  ASSERT_EQ(rest.reservations_size(), 1);
  EXPECT_EQ(rest.next_page_token(), "");
  EXPECT_EQ(FieldOf(Fail(&Clusters::ListReservations, "parent: 'main' page_token: '00'")), "page_token");
}

TEST_P(ReservationBehaviour, EstimatesSayWhenCardsAreFree) {
  Reserve(24, 0.01, 10);
  const std::string job = "model { preset: 'llama-7b' } data_set { token_count: 2e10 } resources { cluster: 'main' ";
  const auto one_node = Ask(&Estimation::Estimate, job + "min_gpus: 8 max_gpus: 8 }").recommendations(0);
  EXPECT_LE(one_node.start_time().seconds(), now_ + 60);
  const auto all = Ask(&Estimation::Estimate, job + "min_gpus: 32 max_gpus: 32 }").recommendations(0);
  EXPECT_EQ(all.start_time().seconds(), now_ + 10 * kDay);
  EXPECT_GT(all.finish_time().seconds(), all.start_time().seconds());
  // The fastest is who finishes first, not who runs for the shortest time: one node now, four only in ten days.
  const auto fastest = Ask(&Estimation::Estimate, "goal: FASTEST " + job + "min_gpus: 8 }").recommendations();
  EXPECT_EQ(fastest[0].gpu_count(), 8);
  EXPECT_LT(fastest[0].finish_time().seconds(), all.finish_time().seconds());
  // And with little left to wait, the more cards.
  const auto later =
      Ask(&Estimation::Estimate, "goal: FASTEST " + job + "min_gpus: 8 earliest_start_time " + At(9.99) + " }")
          .recommendations();
  EXPECT_EQ(later[0].gpu_count(), 32);
  // A deadline that only cards at once could keep.
  const auto late = Ask(&Estimation::Estimate, job + "min_gpus: 32 max_gpus: 32 deadline_time " + At(9) + " }");
  EXPECT_TRUE(late.recommendations().empty());
  EXPECT_THAT(late.infeasible_reasons(0), HasSubstr("can start in"));
}

TEST_P(ReservationBehaviour, QuotasAndMaintenanceAreKept) {
  Update(Pool("") + "quotas { tenant: 't' max_gpus: 16 } maintenance_windows { start_time " + At(1) + " end_time " +
         At(1.5) + " }");
  const std::string job =
      "model { preset: 'llama-7b' } data_set { token_count: 2e10 } resources { cluster: 'main' min_gpus: 8 ";
  const auto of_tenant = Ask(&Estimation::Estimate, "goal: FASTEST " + job + "tenant: 't' }");
  ASSERT_FALSE(of_tenant.recommendations().empty());
  for (const v1::Recommendation& one : of_tenant.recommendations()) {
    EXPECT_LE(one.gpu_count(), 16);
  }
  EXPECT_EQ(Ask(&Estimation::Estimate, "goal: FASTEST " + job + "}").recommendations(0).gpu_count(), 32);
  EXPECT_EQ(Reason(Fail(&Clusters::CreateReservation, Request(8, 0.5, 1.2))), "NOT_FREE");
  EXPECT_EQ(Reserve(8, 0.5, 1).node_count(), 1);
  const std::string of_t =
      "parent: 'main' reservation { gpu_count: 24 tenant: 't' start_time " + At(2) + " end_time " + At(3) + " }";
  EXPECT_EQ(Reason(Fail(&Clusters::CreateReservation, of_t)), "QUOTA_EXCEEDED");
}

TEST_P(ReservationBehaviour, APlanHoldsItsGpusUntilItIsCancelled) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  const v1::Recommendation& best = plan.estimate().recommendations(0);
  EXPECT_EQ(plan.reservation().state(), v1::Reservation::HELD);
  EXPECT_EQ(plan.reservation().plan(), plan.name());
  EXPECT_EQ(plan.reservation().gpu_count(), 32);
  EXPECT_EQ(plan.reservation().start_time().seconds(), best.start_time().seconds());
  EXPECT_NEAR(static_cast<double>(plan.reservation().end_time().seconds()),
              static_cast<double>(best.finish_time().seconds()), 1);
  EXPECT_NEAR(static_cast<double>(plan.reservation().expire_time().seconds()), static_cast<double>(now_ + 600), 60);
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(plan)).SerializeAsString(), plan.SerializeAsString());
  // The next one comes after it.
  const v1::Plan next = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  EXPECT_GE(next.reservation().start_time().seconds(), plan.reservation().end_time().seconds());
  EXPECT_EQ(Reason(Fail(&Clusters::DeleteReservation, "name: '" + plan.reservation().name() + "'")), "HELD_BY_PLAN");
  // Firm, then given up: its time is free again.
  const v1::Plan confirmed = Ask(&Plans::ConfirmPlan, Named(plan));
  EXPECT_EQ(confirmed.reservation().state(), v1::Reservation::FIRM);
  EXPECT_FALSE(confirmed.reservation().has_expire_time());
  EXPECT_EQ(Ask(&Clusters::GetReservation, "name: '" + plan.reservation().name() + "'").state(), v1::Reservation::FIRM);
  EXPECT_EQ(Ask(&Plans::CancelPlan, Named(plan)).reservation().state(), v1::Reservation::RELEASED);
  EXPECT_EQ(Fail(&Clusters::GetReservation, "name: '" + plan.reservation().name() + "'").error_code(),
            grpc::StatusCode::NOT_FOUND);
  Ask(&Plans::DeletePlan, Named(next));
  EXPECT_TRUE(Ask(&Clusters::ListReservations, "parent: 'main'").reservations().empty());
}

TEST_P(ReservationBehaviour, ConfirmingAPlanThatHoldsNothingBooksIt) {
  const v1::Plan first = Ask(&Plans::CreatePlan, Plan(32));
  const v1::Plan second = Ask(&Plans::CreatePlan, Plan(32));
  EXPECT_FALSE(first.has_reservation());
  const v1::Plan confirmed = Ask(&Plans::ConfirmPlan, Named(first));
  EXPECT_EQ(confirmed.reservation().state(), v1::Reservation::FIRM);
  EXPECT_EQ(confirmed.reservation().plan(), first.name());
  EXPECT_EQ(confirmed.reservation().gpu_count(), 32);
  EXPECT_FALSE(confirmed.reservation().has_expire_time());
  EXPECT_EQ(confirmed.reservation().start_time().seconds(),
            confirmed.estimate().recommendations(0).start_time().seconds());
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(first)).SerializeAsString(), confirmed.SerializeAsString());
  const auto booked = Ask(&Clusters::ListReservations, "parent: 'main'");
  ASSERT_EQ(booked.reservations_size(), 1);
  EXPECT_EQ(booked.reservations(0).plan(), first.name());
  // Both were planned on the same cards.
  const grpc::Status taken = Fail(&Plans::ConfirmPlan, Named(second));
  EXPECT_EQ(taken.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(taken), "NOT_FREE");
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(second)).state(), v1::Plan::PLANNED);
  // What is confirmed is given back as what was held.
  EXPECT_EQ(Ask(&Plans::CancelPlan, Named(first)).reservation().state(), v1::Reservation::RELEASED);
  EXPECT_EQ(Ask(&Plans::ConfirmPlan, Named(second)).reservation().state(), v1::Reservation::FIRM);
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 1);
}

TEST_P(ReservationBehaviour, ConfirmingBooksTheClusterThatWasPlannedOnOrNothing) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(32));
  Update("node_pools { name: 'h' gpu_type: 'a100' node_count: 4 }");
  EXPECT_EQ(Reason(Fail(&Plans::ConfirmPlan, Named(plan))), "NO_LONGER_HOLDS");
  Update("node_pools { name: 'other' gpu_type: 'h100' node_count: 4 }");
  EXPECT_EQ(Reason(Fail(&Plans::ConfirmPlan, Named(plan))), "NO_LONGER_HOLDS");
  Ask(&Clusters::DeleteCluster, "name: 'main'");
  EXPECT_EQ(Reason(Fail(&Plans::ConfirmPlan, Named(plan))), "NO_LONGER_HOLDS");
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(plan)).state(), v1::Plan::PLANNED);
}

TEST_P(ReservationBehaviour, HoldsNeedAClusterAndAnEnd) {
  EXPECT_EQ(FieldOf(Fail(&Plans::CreatePlan,
                         "hold { } plan { request { model { preset: 'llama-7b' } data_set { token_count: 1e9 } "
                         "resources { gpu_types: 'h100' } } }")),
            "hold");
  EXPECT_EQ(FieldOf(Fail(&Plans::CreatePlan,
                         "hold { } plan { request { model { preset: 'llama-7b' } resources { cluster: 'main' } } }")),
            "hold");
  EXPECT_EQ(FieldOf(Fail(&Plans::CreatePlan, Plan(8, "hold { expires_in { seconds: -1 } }"))),
            "hold.expires_in.seconds");
  const v1::Plan checked = Ask(&Plans::CreatePlan, Plan(8, "hold { } validate_only: true"));
  EXPECT_EQ(checked.reservation().node_count(), 1);
  EXPECT_EQ(checked.reservation().name(), "");
  EXPECT_TRUE(Ask(&Clusters::ListReservations, "parent: 'main'").reservations().empty());
}

TEST_P(ReservationBehaviour, AnInventoryThatShrinksMarksWhatItBreaks) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  const v1::Reservation kept = Reserve(8, 300, 301);
  Update(Pool("node_conditions { nodes: '" + kept.nodes() +
              "' state: READY } node_conditions { node_count: 1 state: DOWN reason: 'fan' }"));
  const v1::Plan broken = Ask(&Plans::GetPlan, Named(plan));
  EXPECT_THAT(broken.reservation().conflict(), HasSubstr("1 of its 4 nodes are DOWN (fan)"));
  EXPECT_NE(broken.etag(), plan.etag());
  EXPECT_EQ(Reason(Fail(&Plans::ConfirmPlan, Named(plan))), "NO_LONGER_HOLDS");
  EXPECT_EQ(Ask(&Clusters::GetReservation, "name: '" + kept.name() + "'").conflict(), "");
  // Back again.
  Update(Pool(""));
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(plan)).reservation().conflict(), "");
  Ask(&Clusters::DeleteCluster, "name: 'main' force: true");
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(plan)).reservation().conflict(), "the cluster was deleted");
  EXPECT_EQ(Ask(&Plans::CancelPlan, Named(plan)).reservation().state(), v1::Reservation::RELEASED);
}

TEST_P(ReservationBehaviour, NodesThatAreNotWhatWasBookedAreMarked) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  const auto conflict = [&] { return Ask(&Plans::GetPlan, Named(plan)).reservation().conflict(); };
  Update(Pool("gpus_per_node: 4"));
  EXPECT_THAT(conflict(), HasSubstr("its nodes have 4 GPUs now, not 8"));
  Update(Pool("gpus_per_node: 8"));
  EXPECT_EQ(conflict(), "");
  Update("node_pools { name: 'h' gpu_type: 'a100' node_count: 4 }");
  EXPECT_THAT(conflict(), HasSubstr("its pool has A100"));
  EXPECT_EQ(Reason(Fail(&Plans::ConfirmPlan, Named(plan))), "NO_LONGER_HOLDS");
}

TEST_P(ReservationBehaviour, ReservationsThatShareASmallerNodeAreMarked) {
  const v1::Reservation one = Reserve(4, 1, 2);
  const v1::Reservation other = Reserve(4, 1, 2);
  EXPECT_EQ(one.nodes(), other.nodes());
  const v1::Reservation alone = Reserve(4, 3, 4);
  Update(Pool("gpus_per_node: 4"));
  const auto conflict = [&](const v1::Reservation& of) {
    return Ask(&Clusters::GetReservation, "name: '" + of.name() + "'").conflict();
  };
  EXPECT_THAT(conflict(one), HasSubstr("more GPUs of its nodes are booked than there are"));
  EXPECT_EQ(conflict(one), conflict(other));
  EXPECT_EQ(conflict(alone), "");
}

TEST_P(ReservationBehaviour, UpdatesSayWhatTheyBreak) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  const v1::Reservation reservation = Reserve(8, 300, 301);
  const std::string none = "cluster { name: 'main' node_pools { name: 'x' gpu_type: 'h100' node_count: 1 } }";
  const v1::Cluster checked = Ask(&Clusters::UpdateCluster, "validate_only: true " + none);
  ASSERT_EQ(checked.warnings_size(), 2);
  EXPECT_EQ(checked.warnings(0), plan.name() + " no longer holds: the cluster has no pool \"h\" any more");
  EXPECT_THAT(checked.warnings(1), StartsWith(reservation.name() + " no longer holds"));
  EXPECT_EQ(Ask(&Plans::GetPlan, Named(plan)).reservation().conflict(), "");
  const v1::Cluster updated = Ask(&Clusters::UpdateCluster, none);
  EXPECT_EQ(updated.warnings_size(), 2);
  EXPECT_EQ(Ask(&Clusters::UpdateCluster, none).warnings_size(), 0) << "nothing new";
  EXPECT_EQ(Ask(&Clusters::GetCluster, "name: 'main'").warnings_size(), 0);
}

TEST_P(ReservationBehaviour, AClusterWithBookingsIsDeletedByForceOnly) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(8, "hold { }"));
  const grpc::Status refused = Fail(&Clusters::DeleteCluster, "name: 'main'");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(refused), "HAS_RESERVATIONS");
  EXPECT_THAT(refused.error_message(), HasSubstr(plan.name()));
  Ask(&Clusters::DeleteCluster, "name: 'main' force: true");
  EXPECT_EQ(Fail(&Clusters::GetCluster, "name: 'main'").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(ReservationBehaviour, OldEtagsAreAborted) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(8, "hold { }"));
  const v1::Plan confirmed = Ask(&Plans::ConfirmPlan, Named(plan) + "etag: '" + plan.etag() + "'");
  EXPECT_EQ(Fail(&Plans::CancelPlan, Named(plan) + "etag: '" + plan.etag() + "'").error_code(),
            grpc::StatusCode::ABORTED);
  EXPECT_EQ(Fail(&Plans::DeletePlan, Named(plan) + "etag: '" + plan.etag() + "'").error_code(),
            grpc::StatusCode::ABORTED);
  const v1::Reservation reservation = Reserve(8, 300, 301);
  EXPECT_EQ(Fail(&Clusters::DeleteReservation, "name: '" + reservation.name() + "' etag: 'x'").error_code(),
            grpc::StatusCode::ABORTED);
}

TEST_P(ReservationBehaviour, AThousandDuplicatesOfManyClientsAreOnePlan) {
  constexpr int kThreads = 8;
  constexpr int kRepeats = 125;
  const auto request = Parse<v1::CreatePlanRequest>(Plan(32, "hold { } request_id: 'again'"));
  std::vector<std::set<std::string>> names(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < kRepeats; ++j) {
        v1::Plan plan;
        const grpc::Status status = Call(&Plans::CreatePlan, request, plan);
        EXPECT_TRUE(status.ok()) << status.error_message();
        names[static_cast<size_t>(i)].insert(plan.name());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::set<std::string>& some : names) all.insert(some.begin(), some.end());
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 1);
  EXPECT_EQ(Ask(&Plans::ListPlans, "").plans_size(), 1);
}

TEST_P(ReservationBehaviour, ManyClientsGetTheLastGpusOnce) {
  // Each wants two of the four nodes for the same day: two get them.
  constexpr int kClients = 24;
  std::atomic<int> booked = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&] {
      const grpc::Status status = Fail(&Clusters::CreateReservation, Request(16, 1, 2));
      EXPECT_TRUE(status.ok() || Reason(status) == "NOT_FREE") << status.error_message();
      if (status.ok()) ++booked;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(booked, 2);
  // Plans of as many clients queue up instead.
  threads.clear();
  std::vector<v1::Plan> plans(kClients);
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      const grpc::Status status =
          Call(&Plans::CreatePlan, Parse<v1::CreatePlanRequest>(Plan(32, "hold { }")), plans[static_cast<size_t>(i)]);
      EXPECT_TRUE(status.ok()) << status.error_message();
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::pair<int64_t, int64_t>> times;
  for (const v1::Plan& plan : plans) {
    times.emplace(plan.reservation().start_time().seconds(), plan.reservation().end_time().seconds());
    EXPECT_EQ(plan.estimate().recommendations(0).start_time().seconds(), plan.reservation().start_time().seconds());
  }
  ASSERT_EQ(times.size(), size_t{kClients});
  for (auto at = std::next(times.begin()); at != times.end(); ++at) EXPECT_GE(at->first, std::prev(at)->second);
}

TEST_P(ReservationBehaviour, AThousandDuplicatesOfManyClientsAreOneReservation) {
  constexpr int kThreads = 8;
  constexpr int kRepeats = 125;
  const auto request = Parse<v1::CreateReservationRequest>(Request(32, 1, 2, "request_id: 'again'"));
  std::vector<std::set<std::string>> names(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < kRepeats; ++j) {
        v1::Reservation reservation;
        const grpc::Status status = Call(&Clusters::CreateReservation, request, reservation);
        EXPECT_TRUE(status.ok()) << status.error_message();
        names[static_cast<size_t>(i)].insert(reservation.name());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::set<std::string>& some : names) all.insert(some.begin(), some.end());
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 1);
}

TEST_P(ReservationBehaviour, AQuotaThatIsCutMarksTheYoungestAndWarns) {
  const auto reserve = [&](int gpus, const std::string& tenant) {
    return Ask(&Clusters::CreateReservation, "parent: 'main' reservation { gpu_count: " + std::to_string(gpus) +
                                                 " tenant: '" + tenant + "' start_time " + At(1) + " end_time " +
                                                 At(2) + " }");
  };
  const v1::Reservation first = reserve(8, "t");
  const v1::Reservation second = reserve(8, "t");
  const v1::Reservation others = reserve(8, "u");
  const auto conflict = [&](const v1::Reservation& of) {
    return Ask(&Clusters::GetReservation, "name: '" + of.name() + "'").conflict();
  };
  const std::string cut = "cluster { name: 'main' " + Pool("") + " quotas { tenant: 't' max_gpus: 8 } }";
  const v1::Cluster checked = Ask(&Clusters::UpdateCluster, "validate_only: true " + cut);
  ASSERT_EQ(checked.warnings_size(), 1);
  EXPECT_THAT(checked.warnings(0),
              StartsWith(second.name() + " no longer holds: tenant \"t\" may have 8 GPUs at once"));
  EXPECT_EQ(conflict(second), "");
  EXPECT_EQ(Ask(&Clusters::UpdateCluster, cut).warnings_size(), 1);
  EXPECT_EQ(conflict(first), "");
  EXPECT_THAT(conflict(second), StartsWith("tenant \"t\" may have 8 GPUs at once"));
  EXPECT_EQ(conflict(others), "");
  // As soon as the first is gone there is room for it, without any change of the cluster.
  Ask(&Clusters::DeleteReservation, "name: '" + first.name() + "'");
  EXPECT_EQ(conflict(second), "");
  // And a quota that goes takes its marks along.
  Ask(&Clusters::UpdateCluster, "update_mask { paths: 'quotas' } cluster { name: 'main' quotas { tenant: 't' } }");
  EXPECT_THAT(conflict(second), StartsWith("tenant \"t\" may have 0 GPUs at once"));
  Ask(&Clusters::UpdateCluster, "update_mask { paths: 'quotas' } cluster { name: 'main' }");
  EXPECT_EQ(conflict(second), "");
}

TEST_P(ReservationBehaviour, APlanBeyondItsQuotaCannotBeConfirmed) {
  const std::string of_tenant =
      "plan { request { model { preset: 'llama-7b' } data_set { token_count: 2e10 } resources { cluster: 'main' "
      "min_gpus: 16 max_gpus: 16 tenant: 't' } } } hold { }";
  const v1::Plan plan = Ask(&Plans::CreatePlan, of_tenant);
  Update(Pool("") + "quotas { tenant: 't' max_gpus: 8 }");
  EXPECT_THAT(Ask(&Plans::GetPlan, Named(plan)).reservation().conflict(), HasSubstr("may have 8 GPUs"));
  EXPECT_EQ(Reason(Fail(&Plans::ConfirmPlan, Named(plan))), "NO_LONGER_HOLDS");
  Update(Pool("") + "quotas { tenant: 't' max_gpus: 16 }");
  EXPECT_EQ(Ask(&Plans::ConfirmPlan, Named(plan)).state(), v1::Plan::CONFIRMED);
}

TEST_P(ReservationBehaviour, TheMarkOfAPairGoesWithOneOfThem) {
  const v1::Reservation one = Reserve(4, 1, 2);
  const v1::Reservation other = Reserve(4, 1, 2);
  EXPECT_EQ(one.nodes(), other.nodes());
  Update(Pool("gpus_per_node: 4"));
  const auto conflict = [&](const v1::Reservation& of) {
    return Ask(&Clusters::GetReservation, "name: '" + of.name() + "'").conflict();
  };
  EXPECT_NE(conflict(one), "");
  Ask(&Clusters::DeleteReservation, "name: '" + other.name() + "'");
  EXPECT_EQ(conflict(one), "");
}

TEST_P(ReservationBehaviour, UpdatesThatLeaveThePoolsAloneDoNotMindThem) {
  const std::string before = Ask(&Clusters::GetCluster, "name: 'main'").etag();
  // What the mask does not name is not looked at.
  EXPECT_EQ(Ask(&Clusters::UpdateCluster,
                "update_mask { paths: 'description' } cluster { name: 'main' description: 'd' node_pools { } "
                "currency: 'no' }")
                .description(),
            "d");
  EXPECT_EQ(FieldOf(Fail(&Clusters::UpdateCluster,
                         "update_mask { paths: 'currency' } cluster { name: 'main' currency: 'no' }")),
            "cluster.currency");
  EXPECT_NE(Ask(&Clusters::GetCluster, "name: 'main'").etag(), before);
}

TEST_P(ReservationBehaviour, TooManyEntriesAreRefused) {
  std::string pool = "node_pools { name: 'h' gpu_type: 'h100' node_count: 20000 ";
  for (int i = 0; i <= 10'000; ++i) pool += "occupations { nodes: 'h-" + std::to_string(i) + "' } ";
  const grpc::Status refused = Fail(&Clusters::UpdateCluster, "cluster { name: 'main' " + pool + "} }");
  EXPECT_EQ(FieldOf(refused), "cluster.node_pools[0].occupations");
  EXPECT_EQ(Reason(refused), "OUT_OF_RANGE");
  EXPECT_EQ(FieldOf(Fail(&Clusters::CreateCluster, "cluster { name: 'new' " + pool + "} }")),
            "cluster.node_pools[0].occupations");
}

TEST_P(ReservationBehaviour, OutlivesTheProcess) {
  const v1::Plan plan = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  Restart();
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations(0).plan(), plan.name());
  const v1::Plan next = Ask(&Plans::CreatePlan, Plan(32, "hold { }"));
  EXPECT_GE(next.reservation().start_time().seconds(), plan.reservation().end_time().seconds());
}

INSTANTIATE_TEST_SUITE_P(Places, ReservationBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
