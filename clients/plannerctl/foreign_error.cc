#include "clients/plannerctl/foreign_error.h"

#include "absl/strings/cord.h"

namespace planner::plannerctl {
namespace {

constexpr char kSomebodyElseUrl[] = "plannerctl/somebody-else";

}  // namespace

absl::Status OfSomebodyElse(absl::Status status) {
  if (!status.ok()) status.SetPayload(kSomebodyElseUrl, absl::Cord("1"));
  return status;
}

bool IsOfSomebodyElse(const absl::Status& status) { return status.GetPayload(kSomebodyElseUrl).has_value(); }

}  // namespace planner::plannerctl
