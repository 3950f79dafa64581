#include "tests/accuracy/fitting/parameters.h"

#include <array>
#include <cmath>

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
  for (const auto& field : perf::FrameworkFields()) {
    if (field.spread <= 0) continue;
    double sum = 0;
    for (const char* name : kKnown) sum += std::log(constants.Framework(name).*field.member);
    constants.frameworks.find(perf::kTypicalFramework)->second.*field.member = std::exp(sum / kKnown.size());
  }
}

}  // namespace planner::fitting
