#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The status macros that abseil keeps to itself, with upstream's names and shapes so that they can
// be deleted one day.

/// Returns from the enclosing function with the status of `expr` unless it is OK.
#define RETURN_IF_ERROR(expr)                                           \
  do {                                                                  \
    if (absl::Status planner_status_ = (expr); !planner_status_.ok()) { \
      return planner_status_;                                           \
    }                                                                   \
  } while (false)

#define PLANNER_CONCAT_INNER_(a, b) a##b
#define PLANNER_CONCAT_(a, b) PLANNER_CONCAT_INNER_(a, b)

/// `ASSIGN_OR_RETURN(auto graph, BuildGraph(model));`: assigns the value, or returns the status.
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_(PLANNER_CONCAT_(planner_statusor_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_(statusor, lhs, expr) \
  auto statusor = (expr);                      \
  if (!statusor.ok()) {                        \
    return std::move(statusor).status();       \
  }                                            \
  lhs = std::move(statusor).value()
