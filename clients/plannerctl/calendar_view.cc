#include "clients/plannerctl/calendar_view.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "clients/plannerctl/booking_text.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/html.h"
#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

constexpr int kBarColumns = 32;

/// The time that a calendar shows.
struct Span {
  absl::Time begin;
  absl::Time end;

  /// Where a moment lies, 0 to 1.
  double At(absl::Time time) const { return std::clamp(absl::FDivDuration(time - begin, end - begin), 0.0, 1.0); }
};

Span SpanOf(const std::vector<CalendarEntry>& entries, absl::Time now) {
  Span span{now, now + absl::Hours(1)};
  for (const CalendarEntry& entry : entries) {
    const absl::Time last = entry.end == absl::InfiniteFuture() ? entry.start + absl::Hours(1) : entry.end;
    span.end = std::max(span.end, last);
  }
  return span;
}

/// How a kind of entry is drawn, in a terminal and on a page.
struct Look {
  const char* mark;
  const char* colour;
};

Look LookOf(CalendarEntry::Kind kind) {
  switch (kind) {
    case CalendarEntry::Kind::kFirm:
      return {"█", "#2f6db5"};
    case CalendarEntry::Kind::kHeld:
      return {"▒", "#d98c3f"};
    case CalendarEntry::Kind::kInUse:
      return {"▓", "#4f8f5b"};
    case CalendarEntry::Kind::kNotReady:
      return {"x", "#6b5b73"};
    case CalendarEntry::Kind::kMaintenance:
      return {"~", "#8a94a0"};
  }
  return {"█", "#2f6db5"};
}

std::string EndText(absl::Time end) { return end == absl::InfiniteFuture() ? "unknown" : TimeText(end); }

std::string Bar(const CalendarEntry& entry, const Span& span) {
  const char* mark = LookOf(entry.kind).mark;
  const int first = std::min(kBarColumns - 1, static_cast<int>(std::floor(span.At(entry.start) * kBarColumns)));
  const int last = std::max(first, static_cast<int>(std::ceil(span.At(entry.end) * kBarColumns)) - 1);
  std::string bar;
  for (int i = 0; i < kBarColumns; ++i) bar += first <= i && i <= last ? mark : "·";
  return bar;
}

std::string Who(const v1::Reservation& reservation) {
  std::string who =
      reservation.plan().empty() ? reservation.name().substr(reservation.name().rfind('/') + 1) : reservation.plan();
  if (!reservation.tenant().empty()) who += fmt::format(" ({})", reservation.tenant());
  if (!reservation.description().empty()) who += ": " + reservation.description();
  return who;
}

/// "plans/p1" of "p1" or "plans/p1".
std::string PlanName(const std::string& plan) {
  return plan.empty() || plan.starts_with("plans/") ? plan : "plans/" + plan;
}

/// An entry from now on of nodes that are named, or of so many that nobody has named.
template <typename Nodes>
CalendarEntry EntryOf(const v1::NodePool& pool, const Nodes& nodes, CalendarEntry::Kind kind, bool has_end,
                      const google::protobuf::Timestamp& end, absl::Time now) {
  CalendarEntry entry;
  entry.kind = kind;
  entry.pool = pool.name();
  entry.nodes = nodes.nodes().empty() ? fmt::format("{} nodes", FormatGrouped(nodes.node_count())) : nodes.nodes();
  entry.start = now;
  entry.end = has_end ? ToTime(end) : absl::InfiniteFuture();
  return entry;
}

void AddOccupation(const v1::NodePool& pool, const v1::Occupation& occupation,
                   const std::vector<v1::Reservation>& reservations, absl::Time now,
                   std::vector<CalendarEntry>& entries) {
  const std::string plan = PlanName(occupation.plan());
  const auto stands_for_it = [&](const v1::Reservation& one) {
    return !plan.empty() && one.plan() == plan && one.node_pool() == pool.name();
  };
  if (std::any_of(reservations.begin(), reservations.end(), stands_for_it)) return;
  CalendarEntry entry = EntryOf(pool, occupation, CalendarEntry::Kind::kInUse, occupation.has_release_time(),
                                occupation.release_time(), now);
  if (entry.end <= now) return;
  const int64_t per_node = occupation.has_gpus_per_node() ? occupation.gpus_per_node() : pool.gpus_per_node();
  entry.gpus =
      occupation.nodes().empty() ? FormatGrouped(occupation.node_count() * per_node) : fmt::format("{} each", per_node);
  entry.who = plan;
  if (!occupation.tenant().empty())
    entry.who += fmt::format("{}({})", entry.who.empty() ? "" : " ", occupation.tenant());
  if (!occupation.description().empty()) entry.who += (entry.who.empty() ? "" : ": ") + occupation.description();
  entry.state = "in use";
  entries.push_back(std::move(entry));
}

void AddCondition(const v1::NodePool& pool, const v1::NodeCondition& condition, absl::Time now,
                  std::vector<CalendarEntry>& entries) {
  if (condition.state() != v1::NodeCondition::DOWN && condition.state() != v1::NodeCondition::DRAINED) return;
  CalendarEntry entry =
      EntryOf(pool, condition, CalendarEntry::Kind::kNotReady, condition.has_until_time(), condition.until_time(), now);
  if (entry.end <= now) return;
  entry.who = condition.reason();
  entry.state = condition.state() == v1::NodeCondition::DOWN ? "down" : "drained";
  entries.push_back(std::move(entry));
}

}  // namespace

std::vector<CalendarEntry> EntriesOf(const v1::Cluster& cluster, const std::vector<v1::Reservation>& reservations,
                                     absl::Time now) {
  std::vector<CalendarEntry> entries;
  for (const v1::Reservation& reservation : reservations) {
    CalendarEntry& entry = entries.emplace_back();
    entry.pool = reservation.node_pool();
    entry.gpus = FormatGrouped(reservation.gpu_count());
    entry.nodes = reservation.nodes();
    entry.who = Who(reservation);
    if (reservation.state() == v1::Reservation::HELD) entry.kind = CalendarEntry::Kind::kHeld;
    entry.state = BookingText(reservation);
    entry.start = ToTime(reservation.start_time());
    entry.end = ToTime(reservation.end_time());
    entry.conflict = reservation.conflict();
  }
  for (const v1::NodePool& pool : cluster.node_pools()) {
    for (const v1::Occupation& occupation : pool.occupations())
      AddOccupation(pool, occupation, reservations, now, entries);
    for (const v1::NodeCondition& condition : pool.node_conditions()) AddCondition(pool, condition, now, entries);
  }
  for (const v1::MaintenanceWindow& window : cluster.maintenance_windows()) {
    if (ToTime(window.end_time()) <= now) continue;
    CalendarEntry& entry = entries.emplace_back();
    entry.kind = CalendarEntry::Kind::kMaintenance;
    entry.pool = window.node_pool().empty() ? "all" : window.node_pool();
    entry.nodes = window.nodes().empty() ? "all" : window.nodes();
    entry.who = window.description();
    entry.state = "maintenance";
    entry.start = ToTime(window.start_time());
    entry.end = ToTime(window.end_time());
  }
  std::stable_sort(entries.begin(), entries.end(), [](const CalendarEntry& a, const CalendarEntry& b) {
    return std::tie(a.pool, a.start) < std::tie(b.pool, b.start);
  });
  return entries;
}

void PrintCalendar(const std::string& cluster, const std::vector<CalendarEntry>& entries, absl::Time now,
                   const TableStyle& style, std::ostream& out) {
  using enum Table::Align;
  const Span span = SpanOf(entries, now);
  out << Printable(fmt::format("Calendar  {}: {} to {}", cluster, TimeText(span.begin), TimeText(span.end))) << '\n';
  if (entries.empty()) {
    out << "          nothing is booked\n";
    return;
  }
  out << '\n';
  Table table({{"POOL"}, {"GPUS", kRight}, {"NODES"}, {"FROM"}, {"TO"}, {"STATE"}, {"WHEN"}, {"WHO"}});
  bool has_conflicts = false;
  for (const CalendarEntry& entry : entries) {
    has_conflicts = has_conflicts || !entry.conflict.empty();
    table.AddRow({entry.pool, entry.gpus.empty() ? "-" : entry.gpus, entry.nodes, TimeText(entry.start),
                  EndText(entry.end), entry.state, Bar(entry, span), entry.who});
  }
  table.Print(out, style);
  if (!has_conflicts) return;
  out << "\nNo longer holds\n";
  for (const CalendarEntry& entry : entries) {
    if (!entry.conflict.empty()) out << Printable(fmt::format("  - {}: {}", entry.who, entry.conflict)) << '\n';
  }
}

std::string CalendarPage(const std::string& cluster, const std::vector<CalendarEntry>& entries, absl::Time now) {
  const Span span = SpanOf(entries, now);
  std::string body = fmt::format("<p>{} to {}</p>\n", TimeText(span.begin), TimeText(span.end));
  if (entries.empty()) return HtmlPage(cluster, "calendar", body + "<p>Nothing is booked.</p>\n");
  body +=
      "<table><tr><th class=\"text\">Who</th><th class=\"text\">Pool</th><th>GPUs</th><th class=\"text\">Nodes</th>"
      "<th class=\"text\">From</th><th class=\"text\">To</th><th class=\"text\">State</th><th "
      "class=\"text\">When</th></tr>\n";
  for (const CalendarEntry& entry : entries) {
    const double from = 100 * span.At(entry.start);
    const double width = std::max(0.5, 100 * span.At(entry.end) - from);
    const char* colour = entry.conflict.empty() ? LookOf(entry.kind).colour : "#c0504d";
    const std::string state = entry.conflict.empty() ? entry.state : entry.state + ": " + entry.conflict;
    body += fmt::format(
        "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td>"
        "<td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\" style=\"min-width:16rem\"><div "
        "class=\"bar\">"
        "<div style=\"margin-left:{:.2f}%;width:{:.2f}%;background:{}\"></div></div></td></tr>\n",
        EscapeHtml(entry.who), EscapeHtml(entry.pool), entry.gpus, EscapeHtml(entry.nodes), TimeText(entry.start),
        EndText(entry.end), EscapeHtml(state), from, width, colour);
  }
  return HtmlPage(cluster, "calendar", body + "</table>\n");
}

}  // namespace planner::plannerctl
