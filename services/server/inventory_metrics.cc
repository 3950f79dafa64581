#include "services/server/inventory_metrics.h"

#include <algorithm>
#include <array>
#include <utility>

namespace planner::server {
namespace {

using bookings::Cards;
using bookings::Micros;
using telemetry::LabelText;
using telemetry::Page;

constexpr Micros kMinute = 60'000'000;
constexpr Micros kHour = 60 * kMinute;
constexpr std::array<std::pair<const char*, Micros>, 4> kHorizons = {
    {{"1h", kHour}, {"1d", 24 * kHour}, {"7d", 7 * 24 * kHour}, {"30d", 30 * 24 * kHour}}};

struct ClusterFigures {
  std::map<std::string, Cards> cards;
  absl::Time written;
};

void WriteCards(const std::map<std::string, ClusterFigures>& clusters, Page& page) {
  page.Family("planner_cluster_gpus", "Cards by state: each is in the first that fits of down, used, booked, maintenance, drained, free.",
              Page::Type::kGauge);
  for (const auto& [cluster, figures] : clusters) {
    for (const auto& [gpu_type, cards] : figures.cards) {
      for (const auto& [state, count] :
           {std::pair("total", cards.total()), std::pair("free", cards.free), std::pair("booked", cards.booked), std::pair("used", cards.used),
            std::pair("maintenance", cards.maintenance), std::pair("drained", cards.drained), std::pair("down", cards.down)}) {
        page.Sample(LabelText({{"cluster", cluster}, {"gpu_type", gpu_type}, {"state", state}}), count);
      }
    }
  }
}

}  // namespace

const InventoryMetrics::Booked& InventoryMetrics::BookedOf(bookings::Calendars& calendars, Micros now) const {
  const Micros minute = now / kMinute;
  if (booked_version_ == calendars.version() && booked_minute_ == minute) return booked_;
  std::array<Micros, kHorizons.size()> spans{};
  std::transform(kHorizons.begin(), kHorizons.end(), spans.begin(), [](const auto& horizon) { return horizon.second; });
  booked_.clear();
  for (const auto& [id, calendar] : calendars.clusters()) booked_[id] = calendar.MeanBooked(now, spans);
  booked_version_ = calendars.version();
  booked_minute_ = minute;
  return booked_;
}

void InventoryMetrics::Write(Page& page) const {
  const absl::Time now = clock_.Now();
  std::map<std::string, ClusterFigures> clusters;
  Booked booked;
  const absl::Status looked = bookings_.Look(now, [&](bookings::Calendars& calendars) {
    const Micros moment = cluster::ToMicros(now);
    for (const auto& [id, calendar] : calendars.clusters()) clusters[id] = {calendar.CardsAt(moment), calendar.update_time()};
    base::MutexLock lock(mutex_);
    booked = BookedOf(calendars, moment);
    return absl::OkStatus();
  });
  if (!looked.ok()) return;
  WriteCards(clusters, page);
  page.Family("planner_cluster_booked_gpus", "Cards that plans and reservations hold, mean over the time from now to the horizon.",
              Page::Type::kGauge);
  for (const auto& [cluster, by_type] : booked) {
    for (const auto& [gpu_type, means] : by_type) {
      for (size_t i = 0; i < kHorizons.size(); ++i) {
        page.Sample(LabelText({{"cluster", cluster}, {"gpu_type", gpu_type}, {"horizon", kHorizons[i].first}}), means[i]);
      }
    }
  }
  page.Family("planner_cluster_inventory_timestamp_seconds", "When the inventory was last written or confirmed.", Page::Type::kGauge);
  for (const auto& [cluster, figures] : clusters) {
    page.Sample(LabelText({{"cluster", cluster}}), absl::ToUnixSeconds(std::max(figures.written, bookings_.ConfirmedAt(cluster))));
  }
}

}  // namespace planner::server
