// Laws of calendars, on thousands of random ones, held against a search that tries everything.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/schedule/earliest_start.h"
#include "core/schedule/ledger.h"

namespace planner::schedule {
namespace {

constexpr int kCalendars = 10'000;

/// Small enough to be tried out.
class SmallCalendar {
 public:
  explicit SmallCalendar(unsigned seed)
      : random_(seed), nodes_(Any(1, 5)), gpus_(Any(1, 4)), ledger_(nodes_, gpus_, Any(0, 2)) {}

  int Any(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  /// GPUs of a node that are in use at a moment, told by the bookings alone.
  int UsedAt(int node, Micros time) const {
    int used = 0;
    for (const Use& use : uses_) {
      const bool holds = std::any_of(use.nodes.begin(), use.nodes.end(),
                                     [&](const NodeRange& range) { return range.first <= node && node <= range.last; });
      if (holds && use.start <= time && time < use.end) used += use.gpus_per_node;
    }
    return used;
  }
  bool IsFree(int node, int gpus, Micros start, Micros end) const {
    for (Micros time = start; time < end; ++time) {
      if (UsedAt(node, time) + gpus > gpus_) return false;
    }
    return true;
  }
  int64_t TenantUse(Micros time) const {
    int64_t used = 0;
    for (const Use& use : uses_) {
      if (use.start <= time && time < use.end) used += cluster::CountOf(use.nodes) * use.gpus_per_node;
    }
    return used;
  }
  /// Tries every start.
  std::optional<Micros> BruteForce(const Request& request, Micros last) const {
    for (Micros start = request.not_before; start <= last; ++start) {
      int64_t free = 0;
      for (int node = 0; node < nodes_; ++node) {
        if (IsFree(node, request.shape.gpus_per_node, start, start + request.duration)) ++free;
      }
      bool in_quota = true;
      for (const cluster::Quota* quota : request.quotas) {
        for (Micros time = start; time < start + request.duration; ++time) {
          in_quota = in_quota && TenantUse(time) + request.shape.gpus() <= quota->max_gpus;
        }
      }
      if (free >= request.shape.nodes && in_quota) return start;
    }
    return std::nullopt;
  }
  void ExpectNoDoubleBooking() const {
    for (int node = 0; node < nodes_; ++node) {
      for (Micros time = 0; time < kEnd; ++time)
        ASSERT_LE(UsedAt(node, time), gpus_) << "node " << node << " at " << time;
    }
  }
  Request AnyRequest() {
    return {.shape = ShapeOf(Any(1, nodes_ * gpus_), gpus_), .duration = Any(1, 12), .not_before = Any(0, 15)};
  }
  /// Books where the ledger says.
  void Book(const Request& request, Micros start) {
    const Use use{ledger_.Place(request.shape, start, start + request.duration), request.shape.gpus_per_node, start,
                  start + request.duration};
    ASSERT_EQ(cluster::CountOf(use.nodes), request.shape.nodes);
    ASSERT_TRUE(ledger_.IsFree(use));
    ledger_.Add(use);
    uses_.push_back(use);
  }
  void CancelOne() {
    if (uses_.empty()) return;
    const auto one = uses_.begin() + Any(0, static_cast<int>(uses_.size()) - 1);
    ledger_.Remove(*one);
    uses_.erase(one);
  }
  /// One made from the same bookings in another order: some at once, the others one by one.
  std::shared_ptr<const cluster::Calendar> MadeAnew() {
    std::vector<Use> shuffled = uses_;
    std::shuffle(shuffled.begin(), shuffled.end(), random_);
    const auto middle = shuffled.begin() + Any(0, static_cast<int>(shuffled.size()));
    Ledger anew(nodes_, gpus_, 0, {shuffled.begin(), middle});
    for (auto use = middle; use != shuffled.end(); ++use) anew.Add(*use);
    return anew.View();
  }
  std::vector<cluster::Step> TenantSteps() const {
    std::vector<cluster::Step> steps;
    for (Micros time = 0; time < kEnd; ++time) steps.push_back({time, TenantUse(time)});
    return steps;
  }

  static constexpr Micros kEnd = 400;
  std::mt19937 random_;
  const int nodes_;
  const int gpus_;
  Ledger ledger_;
  std::vector<Use> uses_;
};

TEST(CalendarLaws, TheEarliestStartIsThatOfASearchThatTriesEverything) {
  for (int seed = 0; seed < kCalendars; ++seed) {
    SmallCalendar calendar(static_cast<unsigned>(seed));
    for (int i = calendar.Any(0, 8); i > 0; --i) {
      const Request request = calendar.AnyRequest();
      const auto start = EarliestStart(*calendar.ledger_.View(), request);
      ASSERT_EQ(start, calendar.BruteForce(request, SmallCalendar::kEnd)) << "seed " << seed;
      // Some are booked later than they could be, so that gaps are left.
      const Request later{request.shape, request.duration, *start + calendar.Any(0, 1) * calendar.Any(0, 20)};
      calendar.Book(later, *EarliestStart(*calendar.ledger_.View(), later));
      if (calendar.Any(0, 3) == 0) calendar.CancelOne();
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    }
    calendar.ExpectNoDoubleBooking();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
  }
}

TEST(CalendarLaws, QuotasNeitherDelayMoreThanTheyMustNorAreExceeded) {
  for (int seed = 0; seed < kCalendars; ++seed) {
    SmallCalendar calendar(static_cast<unsigned>(seed));
    const int most = calendar.nodes_ * calendar.gpus_;
    cluster::Quota quota{"t", "", calendar.Any(0, most), {}};
    for (int i = calendar.Any(0, 6); i > 0; --i) {
      Request request = calendar.AnyRequest();
      quota.used = calendar.TenantSteps();
      request.quotas = {&quota};
      const auto start = EarliestStart(*calendar.ledger_.View(), request);
      ASSERT_EQ(start, calendar.BruteForce(request, SmallCalendar::kEnd - 20)) << "seed " << seed;
      if (start) calendar.Book(request, *start);
    }
    for (Micros time = 0; time < SmallCalendar::kEnd; ++time) ASSERT_LE(calendar.TenantUse(time), quota.max_gpus);
  }
}

TEST(CalendarLaws, BackfillDelaysNoReservation) {
  // What is booked keeps its nodes and its time, whatever is put before and between.
  for (int seed = 0; seed < kCalendars; ++seed) {
    SmallCalendar calendar(static_cast<unsigned>(seed));
    const Request large{ShapeOf(calendar.Any(1, calendar.nodes_) * calendar.gpus_, calendar.gpus_), calendar.Any(5, 20),
                        20};
    calendar.Book(large, *EarliestStart(*calendar.ledger_.View(), large));
    const Use promised = calendar.uses_.front();
    for (int i = 0; i < 6; ++i) {
      const Request request = calendar.AnyRequest();
      calendar.Book(request, *EarliestStart(*calendar.ledger_.View(), request));
      ASSERT_FALSE(calendar.ledger_.IsOverbooked(promised)) << "seed " << seed;
    }
    calendar.ExpectNoDoubleBooking();
    calendar.ledger_.Remove(promised);
    calendar.uses_.erase(calendar.uses_.begin());
    ASSERT_TRUE(calendar.ledger_.IsFree(promised)) << "seed " << seed;
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
  }
}

TEST(CalendarLaws, ChangesOneByOneGiveWhatMakingItAnewGives) {
  for (int seed = 0; seed < kCalendars; ++seed) {
    SmallCalendar calendar(static_cast<unsigned>(seed));
    for (int i = calendar.Any(1, 10); i > 0; --i) {
      const Request request = calendar.AnyRequest();
      calendar.Book(request, *EarliestStart(*calendar.ledger_.View(), request));
      if (calendar.Any(0, 2) == 0) calendar.CancelOne();
    }
    const auto view = calendar.ledger_.View();
    const auto anew = calendar.MadeAnew();
    ASSERT_EQ(view->by_start, anew->by_start) << "seed " << seed;
    ASSERT_EQ(view->by_end, anew->by_end) << "seed " << seed;
    ASSERT_EQ(view->shared_nodes.size(), anew->shared_nodes.size()) << "seed " << seed;
    for (size_t i = 0; i < view->shared_nodes.size(); ++i) {
      ASSERT_EQ(*view->shared_nodes[i], *anew->shared_nodes[i]) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace planner::schedule
