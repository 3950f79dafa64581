#include "services/telemetry/store_probe.h"

namespace planner::telemetry {
namespace {

/// From a look at a version in memory to a database that is about to be given up.
const prometheus::Histogram::BucketBoundaries kBuckets = {0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10};

StoreProbe::Operation Make(const char* name, prometheus::Family<prometheus::Histogram>& durations,
                           prometheus::Family<prometheus::Counter>& errors) {
  return {durations.Add({{"operation", name}}, kBuckets), errors.Add({{"operation", name}})};
}

}  // namespace

StoreProbe::StoreProbe(prometheus::Registry& registry)
    : StoreProbe(prometheus::BuildHistogram()
                     .Name("planner_store_duration_seconds")
                     .Help("Time of one operation of the store.")
                     .Register(registry),
                 prometheus::BuildCounter()
                     .Name("planner_store_errors_total")
                     .Help("Operations that the store could not do. What is answered by rule is no error.")
                     .Register(registry)) {}

StoreProbe::StoreProbe(prometheus::Family<prometheus::Histogram>& durations, prometheus::Family<prometheus::Counter>& errors)
    : transact(Make("transact", durations, errors)),
      get(Make("get", durations, errors)),
      get_by_request_id(Make("get_by_request_id", durations, errors)),
      list(Make("list", durations, errors)),
      changes_since(Make("changes_since", durations, errors)),
      version(Make("version", durations, errors)) {}

}  // namespace planner::telemetry
