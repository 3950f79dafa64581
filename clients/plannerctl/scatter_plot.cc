#include "clients/plannerctl/scatter_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "clients/plannerctl/html.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

constexpr double kSize = 640;  ///< Of the square that the axes span.
constexpr double kLeft = 70;   ///< Room for the labels of the vertical axis.
constexpr double kTop = 10;
constexpr double kBottom = 52;  ///< Room for those of the horizontal one.
constexpr double kBand = 0.15;
constexpr size_t kColours = 10;
constexpr size_t kShapes = 4;

bool IsDrawn(const ScatterPoint& point) {
  const auto inside = [](double value) { return value >= 1e-9 && value <= 1e12; };
  return inside(point.measured) && inside(point.predicted);
}

/// One axis, which is both of them: the logarithm of [low, high] on [0, kSize].
class LogAxis {
 public:
  explicit LogAxis(const std::vector<ScatterPoint>& points) {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;
    for (const ScatterPoint& point : points) {
      if (!IsDrawn(point)) continue;
      low = std::min({low, point.measured, point.predicted});
      high = std::max({high, point.measured, point.predicted});
    }
    // A twentieth of a decade of air, and never less than a third of a decade in all.
    const double middle = (std::log10(low) + std::log10(high)) / 2;
    const double half = std::max(1.0 / 6, (std::log10(high) - std::log10(low)) / 2 + 0.05);
    low_ = middle - half;
    high_ = middle + half;
  }

  double At(double value) const { return kSize * (std::log10(value) - low_) / (high_ - low_); }
  double X(double value) const { return kLeft + At(value); }
  double Y(double value) const { return kTop + kSize - At(value); }
  double low() const { return std::pow(10, low_); }
  double high() const { return std::pow(10, high_); }

  /// Powers of ten; between them 2 and 5 where the axis is short, every digit where it is shorter than a decade.
  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    const double decades = high_ - low_;
    const std::vector<double> digits = decades > 3   ? std::vector<double>{1}
                                       : decades > 1 ? std::vector<double>{1, 2, 5}
                                                     : std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9};
    const int first = static_cast<int>(std::floor(low_));
    const int last = static_cast<int>(std::ceil(high_));
    const int step = std::max(1, (last - first) / 12);
    for (int power = first; power <= last; power += step) {
      for (const double digit : digits) {
        const double tick = digit * std::pow(10, power);
        if (std::log10(tick) >= low_ && std::log10(tick) <= high_) ticks.push_back(tick);
      }
    }
    return ticks;
  }

 private:
  double low_ = 0;
  double high_ = 0;
};

/// The outline of a series' shape around a point.
std::string Shape(size_t series, double x, double y) {
  switch (series / kColours % kShapes) {
    case 1:
      return fmt::format("M{:.1f} {:.1f}h6v6h-6z", x - 3, y - 3);
    case 2:
      return fmt::format("M{:.1f} {:.1f}l4 7h-8z", x, y - 4.5);
    case 3:
      return fmt::format("M{:.1f} {:.1f}l4.3 4.3-4.3 4.3-4.3-4.3z", x, y - 4.3);
    default:
      return fmt::format("M{:.1f} {:.1f}a3.3 3.3 0 1 0 6.6 0a3.3 3.3 0 1 0-6.6 0z", x - 3.3, y);
  }
}

std::string Axes(const LogAxis& axis, std::string_view what, std::string_view unit) {
  std::string svg;
  for (const double tick : axis.Ticks()) {
    const double x = axis.X(tick);
    const double y = axis.Y(tick);
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{:.1f} {}v{}M{} {:.1f}h{}\"/><text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}"
        "</text><text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n",
        x, kTop, kSize, kLeft, y, kSize, x, kTop + kSize + 18, tick, kLeft - 6, y + 4, tick);
  }
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">measured {}, {}</text>", kLeft + kSize / 2,
                     kTop + kSize + 42, EscapeHtml(what), EscapeHtml(unit));
  return svg + fmt::format(
                   "<text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">predicted {}, {}</text>\n",
                   kTop + kSize / 2, EscapeHtml(what), EscapeHtml(unit));
}

/// The diagonal, and the band around it: in logarithms both of its edges are parallel to it.
std::string Diagonal(const LogAxis& axis) {
  const double low = axis.low();
  const double high = axis.high();
  const auto corner = [&](double measured, double ratio) {
    return fmt::format("{:.1f} {:.1f} ", axis.X(measured), axis.Y(measured * ratio));
  };
  return fmt::format("<polygon class=\"band\" points=\"{}{}{}{}\"/><path class=\"diagonal\" d=\"M{}L{}\"/>\n",
                     corner(low, 1 - kBand), corner(high, 1 - kBand), corner(high, 1 + kBand), corner(low, 1 + kBand),
                     corner(low, 1), corner(high, 1));
}

}  // namespace

std::string ScatterPlot(std::string_view what, std::string_view unit, const std::vector<ScatterPoint>& points) {
  if (std::none_of(points.begin(), points.end(), IsDrawn)) return "";
  const LogAxis axis(points);
  // A nested svg cuts off what of the band is outside of the axes.
  std::string svg = fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"Predicted against measured {2}\">\n{3}"
      "<svg x=\"{4}\" y=\"{5}\" width=\"{6}\" height=\"{6}\" viewBox=\"{4} {5} {6} {6}\">\n{7}",
      kLeft + kSize + 10, kTop + kSize + kBottom, EscapeHtml(what), Axes(axis, what, unit), kLeft, kTop, kSize,
      Diagonal(axis));
  for (const ScatterPoint& point : points) {
    if (!IsDrawn(point)) continue;
    svg += fmt::format("<path class=\"c{}{}\" d=\"{}\"><title>{}</title></path>\n", point.series % kColours,
                       point.filled ? "" : " hollow",
                       Shape(point.series, axis.X(point.measured), axis.Y(point.predicted)), EscapeHtml(point.tooltip));
  }
  return svg + "</svg></svg>\n";
}

std::string SeriesMark(size_t series) {
  return fmt::format("<svg class=\"mark\" viewBox=\"0 0 10 10\"><path class=\"c{}\" d=\"{}\"/></svg>",
                     series % kColours, Shape(series, 5, 5));
}

std::string_view ScatterStyle() {
  return "<style>"
         ".plot{display:block;width:100%;max-width:52rem;margin:auto;font-size:13px}.plot text{fill:var(--text)}"
         ".plot path,.mark path{fill-opacity:.6;stroke-width:1}.mark{width:.8em;height:.8em}"
         ".plot .grid{fill:none;stroke:var(--line)}.plot .band{fill:var(--soft);stroke:var(--line)}"
         ".plot .diagonal{fill:none;stroke:var(--text);stroke-dasharray:5 4}.plot .hollow{fill-opacity:0}"
         ".c0{fill:#1f6fb4;stroke:#1f6fb4}.c1{fill:#d9710e;stroke:#d9710e}.c2{fill:#2b8c3e;stroke:#2b8c3e}"
         ".c3{fill:#c8313a;stroke:#c8313a}.c4{fill:#7b56b3;stroke:#7b56b3}.c5{fill:#8a5a44;stroke:#8a5a44}"
         ".c6{fill:#d055a5;stroke:#d055a5}.c7{fill:#68717d;stroke:#68717d}.c8{fill:#94900f;stroke:#94900f}"
         ".c9{fill:#0f93a6;stroke:#0f93a6}"
         "@media(prefers-color-scheme:dark){"
         ".c0{fill:#62a8e5;stroke:#62a8e5}.c1{fill:#ff9d45;stroke:#ff9d45}.c2{fill:#61c675;stroke:#61c675}"
         ".c3{fill:#f2707a;stroke:#f2707a}.c4{fill:#b294e6;stroke:#b294e6}.c5{fill:#c79a84;stroke:#c79a84}"
         ".c6{fill:#f08fcf;stroke:#f08fcf}.c7{fill:#a9b3be;stroke:#a9b3be}.c8{fill:#cfca3a;stroke:#cfca3a}"
         ".c9{fill:#3fcde0;stroke:#3fcde0}}"
         "</style>\n";
}

}  // namespace planner::plannerctl
