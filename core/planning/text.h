#pragma once

#include <cstdint>
#include <string>

namespace planner::planning {

// How numbers read in explanations and reasons.

/// Bytes as GiB with one decimal: 120686313574 -> "112.4 GiB".
std::string Gib(double bytes);
/// Seconds in the unit that a person would use: 45 -> "45 s", 7200 -> "2.0 h", 2.94e6 -> "34.0 days", 1e9 -> "31.7
/// years".
std::string Duration(double seconds);
/// With thousands separated: 4194304 -> "4,194,304".
std::string Grouped(int64_t number);
/// "1 card", "8 cards".
std::string Cards(int64_t number);

}  // namespace planner::planning
