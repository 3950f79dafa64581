#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::plannerctl {

/// A number as people write it: "300B" is 3e11, "1.4T" 1.4e12, "4M", "2k", "2e9", "-5". Suffixes are
/// decimal and in either case. Rounded once, so "1.4T" is the double nearest to 1.4e12.
/// INVALID_ARGUMENT for anything else, infinities and NaN too.
absl::StatusOr<double> ParseNumber(std::string_view text);

/// The same for whole numbers: "4k" is 4000, "1.5k" 1500. INVALID_ARGUMENT too if it is not whole or
/// does not fit 64 bits. Exact up to 2^63-1.
absl::StatusOr<int64_t> ParseInteger(std::string_view text);

/// ParseInteger for fields of 32 bits.
absl::StatusOr<int32_t> ParseInt32(std::string_view text);

/// A fraction: "0.45" or "45%".
absl::StatusOr<double> ParseRatio(std::string_view text);

/// "true", "yes", "on", "1" and their opposites, in either case.
absl::StatusOr<bool> ParseBool(std::string_view text);

/// "8" is 8 to 8, "8-64" 8 to 64.
struct IntegerRange {
  int64_t min = 0;
  int64_t max = 0;
};
absl::StatusOr<IntegerRange> ParseRange(std::string_view text);

/// Three significant digits with a suffix: 6738415616 is "6.74B", 512 "512", 2.5e18 "2.5e18".
std::string FormatCount(double value);

/// All digits in groups of three: 25557032 is "25,557,032".
std::string FormatGrouped(int64_t value);

/// Bytes in GiB (2^30) with two decimals below 10, one above: 85197848576 is "79.3 GiB". Never
/// another unit, so that a column can be compared; what is smaller than 0.01 GiB reads "<0.01 GiB".
std::string FormatGib(int64_t bytes);

/// FLOPs, which leave every suffix behind: 3.14e23 is "3.14e23".
std::string FormatScientific(double value);

/// A ratio in percent: 0.4487 is "44.9 %".
std::string FormatPercent(double ratio);

/// Money without cents from 100 on: "USD 1,234,568", "USD 12.34".
std::string FormatMoney(double amount, std::string_view currency);

/// A rate in units of `unit` (1e12 for TFLOP/s) with at most one decimal: "312", "19.5"; 0 is "-".
std::string FormatRate(double value, double unit);

}  // namespace planner::plannerctl
