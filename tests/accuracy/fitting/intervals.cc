#include "tests/accuracy/fitting/intervals.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "fmt/format.h"

namespace planner::fitting {

nlohmann::ordered_json Intervals(const std::vector<Row>& rows, const std::vector<double>& fitted,
                                 const std::vector<double>& crossed) {
  constexpr double kPull = 24;
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, std::vector<double>> classes;
  for (size_t r = 0; r < rows.size(); ++r) {
    const std::string size(perf::SizeClass(rows[r].description.memory.parameters));
    const std::string& framework = rows[r].description.framework;
    for (const Key& key : {Key{"*", "*", "*"}, Key{framework, "*", "*"}, Key{framework, rows[r].family, "*"},
                           Key{framework, rows[r].family, size}}) {
      classes[key].push_back(std::abs(std::get<0>(key) == "*" ? crossed[r] : fitted[r]));
    }
  }
  const auto quantile = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(0.93 * static_cast<double>(values.size() - 1) + 0.5)];
  };
  std::map<Key, double> widths;
  const auto width = [&](const Key& key, double parent) {
    const std::vector<double>& values = classes[key];
    const double n = static_cast<double>(values.size());
    return (n * quantile(values) + kPull * parent) / (n + kPull);
  };
  const double all = quantile(classes[{"*", "*", "*"}]);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& [key, values] : classes) {
    const auto& [framework, family, size] = key;
    double value = all;
    if (framework != "*") value = width({framework, "*", "*"}, all);
    if (family != "*") value = width({framework, family, "*"}, value);
    if (size != "*") value = width(key, value);
    json.push_back({{"framework", framework},
                    {"family", family},
                    {"size", size},
                    {"rows", values.size()},
                    {"half_width", std::stod(fmt::format("{:.3f}", value))}});
  }
  return json;
}

}  // namespace planner::fitting
