#include "core/counting/counter_set.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::counting {
namespace {

/// Descriptions that were made in this process are expanded, as configurations are.
model::SourceFormat FormatOf(const model::ModelDescription& model) {
  return model.source != nullptr ? model.source->format : model::SourceFormat::kHuggingFaceConfig;
}

bool Takes(const CounterInfo& info, model::SourceFormat format) {
  return std::find(info.formats.begin(), info.formats.end(), format) != info.formats.end();
}

}  // namespace

CounterInfo CounterSet::Info() const { return {.name = "set", .version = "1", .description = "the counters that are here"}; }

std::vector<CounterInfo> CounterSet::Infos() const {
  std::vector<CounterInfo> infos;
  for (const Counter* counter : counters_) infos.push_back(counter->Info());
  return infos;
}

void CounterSet::Learn(absl::Time deadline) const {
  for (const Counter* counter : counters_) counter->Learn(deadline);
}

absl::StatusOr<const Counter*> CounterSet::Choose(const CountRequest& request) const {
  const model::SourceFormat format = FormatOf(request.model);
  if (!request.counter.empty()) {
    std::vector<std::string> names;
    for (const Counter* counter : counters_) {
      names.push_back(counter->Info().name);
      if (names.back() == request.counter) return counter;
    }
    return base::NotFound(
        "counter", absl::StrCat("no counter is named \"", request.counter, "\"; there are: ", absl::StrJoin(names, ", ")),
        "UNKNOWN_COUNTER");
  }
  for (const Counter* counter : counters_) {
    const CounterInfo info = counter->Info();
    if (info.up && Takes(info, format)) return counter;
  }
  std::string down;
  for (const Counter* counter : counters_) {
    CounterInfo info = counter->Info();
    if (!info.known) {
      counter->Learn(request.deadline);
      info = counter->Info();
    }
    if (info.known && !Takes(info, format)) continue;
    if (info.up && info.known) return counter;
    absl::StrAppend(&down, down.empty() ? "" : "; ", info.name, ": ", info.detail);
  }
  if (!down.empty()) {
    return base::WithReason(absl::UnavailableError(absl::StrCat("the counter of such models is down: ", down)), "COUNTER_DOWN");
  }
  return absl::UnimplementedError("no counter of this server takes such a model; see ListCounters");
}

absl::StatusOr<CostReport> CounterSet::Count(const CountRequest& request) const {
  ASSIGN_OR_RETURN(const Counter* counter, Choose(request));
  return counter->Count(request);
}

}  // namespace planner::counting
