#include "core/store/store.h"

#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace planner::store {
namespace {

std::string Called(Kind kind, std::string_view name) {
  return std::string(KindName(kind)) + " \"" + std::string(name) + "\"";
}

}  // namespace

std::string_view KindName(Kind kind) { return kind == Kind::kCluster ? "cluster" : "plan"; }

absl::Status NoSuchRecord(Kind kind, std::string_view name) {
  return base::NotFound("name", "there is no " + Called(kind, name),
                        kind == Kind::kCluster ? "UNKNOWN_CLUSTER" : "UNKNOWN_PLAN");
}

absl::Status RecordExists(Kind kind, std::string_view name) {
  return absl::AlreadyExistsError("name: there is already a " + Called(kind, name));
}

absl::Status EtagChanged(Kind kind, std::string_view name, std::string_view given, std::string_view current) {
  return absl::AbortedError("etag: " + Called(kind, name) + " has changed since it was read: etag=" +
                            std::string(given) + " current=" + std::string(current));
}

}  // namespace planner::store
