#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::slurm {

/// The names of a host list as Slurm writes it: "n[01-03,7],login1" is n01, n02, n03, n7, login1; "r[1-2]n[0-1]" is r1n0, r1n1, r2n0, r2n1.
/// INVALID_ARGUMENT for what is none, and for more than 100,000 names or 1 MiB.
absl::StatusOr<std::vector<std::string>> HostNames(std::string_view list);

/// The shortest list that a reader easily makes out: names that differ in their last number alone, as ranges. {"n02", "n01", "x"} is
/// "n[01-02],x". Sorted by name and number; none must be there twice.
std::string HostListOf(std::vector<std::string> names);

}  // namespace planner::slurm
