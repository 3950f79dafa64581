#include "tests/accuracy/fitting/parameters.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "fmt/format.h"

namespace planner::fitting {

using perf::StepTimeConstants;

std::vector<Parameter> ParametersOf(const StepTimeConstants& priors) {
  std::vector<Parameter> parameters;
  for (const auto& [family, values] : priors.families) {
    for (const auto& field : perf::FamilyFields()) {
      if (field.spread <= 0) continue;
      parameters.push_back({fmt::format("families.{}.{}", family, field.name),
                            [name = family, member = field.member](StepTimeConstants& c) -> double& {
                              return c.families.find(name)->second.*member;
                            },
                            values.*field.member, field.spread, field.low, field.high, family, "", true,
                            fmt::format("families.{}", field.name)});
    }
  }
  for (const auto& [framework, values] : priors.frameworks) {
    if (framework == perf::kTypicalFramework) continue;
    for (const auto& field : perf::FrameworkFields()) {
      if (field.spread <= 0) continue;
      parameters.push_back({fmt::format("frameworks.{}.{}", framework, field.name),
                            [name = framework, member = field.member](StepTimeConstants& c) -> double& {
                              return c.frameworks.find(name)->second.*member;
                            },
                            values.*field.member, field.spread, field.low, field.high, "", framework, false,
                            fmt::format("frameworks.{}", field.name)});
    }
  }
  for (const auto& field : perf::SharedFields()) {
    if (field.spread <= 0) continue;
    parameters.push_back({fmt::format("shared.{}", field.name),
                          [member = field.member](StepTimeConstants& c) -> double& { return c.shared.*member; },
                          priors.shared.*field.member, field.spread, field.low, field.high, "", "", true, ""});
  }
  return parameters;
}

void SetTypicalFramework(StepTimeConstants& constants) {
  constexpr std::array kKnown = {"megatron-core", "megatron-lm", "megatron-deepspeed", "fsdp",
                                 "torchtitan",    "deepspeed",   "internevo"};
  // Times grow with the other constants, and shrink with these.
  constexpr std::array<std::string_view, 4> kRates = {"sum_network", "shard_bandwidth", "attention", "narrow_heads"};
  for (const auto& field : perf::FrameworkFields()) {
    if (field.spread <= 0) continue;
    const bool is_rate = std::find(kRates.begin(), kRates.end(), field.name) != kRates.end();
    double sum = 0;
    for (const char* name : kKnown) {
      const double value = constants.Framework(name).*field.member;
      sum += is_rate ? 1 / value : value;
    }
    const double mean = sum / kKnown.size();
    constants.frameworks.find(perf::kTypicalFramework)->second.*field.member = is_rate ? 1 / mean : mean;
  }
}

}  // namespace planner::fitting
