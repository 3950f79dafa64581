#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace planner::plannerctl {

/// A measurement beside its prediction. What is not within 1e-9 to 1e12 is not drawn.
struct ScatterPoint {
  double measured = 0;
  double predicted = 0;
  size_t series = 0;    ///< Which colour and shape: SeriesMark.
  bool filled = true;   ///< A hollow mark stands out: outside of its interval.
  std::string tooltip;  ///< Plain text.
};

/// Predicted against measured as an SVG element, both axes logarithmic and alike, with the diagonal of perfect
/// predictions and the band of 15 % around it. Empty without points to draw. `what` names the axes: "step time", in `unit`.
std::string ScatterPlot(std::string_view what, std::string_view unit, const std::vector<ScatterPoint>& points);

/// The mark of a series for legends: an SVG element of one character's size. Ten colours in four shapes; then they repeat.
std::string SeriesMark(size_t series);

/// The style that plots and marks need once in a page, in light and dark.
std::string_view ScatterStyle();

}  // namespace planner::plannerctl
