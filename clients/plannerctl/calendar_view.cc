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
  for (const CalendarEntry& entry : entries) span.end = std::max(span.end, entry.end);
  return span;
}

std::string Bar(const CalendarEntry& entry, const Span& span) {
  const char* mark = entry.gpus.empty() ? "~" : entry.is_held ? "▒" : "█";
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
    entry.is_held = reservation.state() == v1::Reservation::HELD;
    entry.state = BookingText(reservation);
    entry.start = ToTime(reservation.start_time());
    entry.end = ToTime(reservation.end_time());
    entry.conflict = reservation.conflict();
  }
  for (const v1::MaintenanceWindow& window : cluster.maintenance_windows()) {
    if (ToTime(window.end_time()) <= now) continue;
    CalendarEntry& entry = entries.emplace_back();
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
                  TimeText(entry.end), entry.state, Bar(entry, span), entry.who});
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
    const char* colour = entry.gpus.empty()        ? "#8a94a0"
                         : !entry.conflict.empty() ? "#c0504d"
                         : entry.is_held           ? "#d98c3f"
                                                   : "#2f6db5";
    const std::string state = entry.conflict.empty() ? entry.state : entry.state + ": " + entry.conflict;
    body += fmt::format(
        "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td>"
        "<td class=\"text\">{}</td><td class=\"text\">{}</td><td class=\"text\" style=\"min-width:16rem\"><div "
        "class=\"bar\">"
        "<div style=\"margin-left:{:.2f}%;width:{:.2f}%;background:{}\"></div></div></td></tr>\n",
        EscapeHtml(entry.who), EscapeHtml(entry.pool), entry.gpus, EscapeHtml(entry.nodes), TimeText(entry.start),
        TimeText(entry.end), EscapeHtml(state), from, width, colour);
  }
  return HtmlPage(cluster, "calendar", body + "</table>\n");
}

}  // namespace planner::plannerctl
