#pragma once

#include <array>
#include <cstddef>

namespace planner::collector {

/// How a question to a Prometheus ended.
enum class Outcome {
  kOk,           ///< At least one series was taken.
  kUnreachable,  ///< No connection, or it broke off.
  kTimeout,
  kRefused,      ///< A status other than 200, a redirection among them, or an error in the answer.
  kTooLarge,     ///< The answer was not read on.
  kMalformed,    ///< No answer of a Prometheus.
  kStale,        ///< No series, or none that is young enough.
  kImplausible,  ///< NaN, out of range, from the future, of no known node or GPU.
};

/// As labels and logs have them, in the order above.
inline constexpr std::array<const char*, 8> kOutcomeNames = {"ok",        "unreachable", "timeout", "refused",
                                                             "too_large", "malformed",   "stale",   "implausible"};

constexpr const char* NameOf(Outcome outcome) { return kOutcomeNames[static_cast<size_t>(outcome)]; }

}  // namespace planner::collector
