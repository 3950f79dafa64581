#include <algorithm>
#include <cctype>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

constexpr size_t kMaxIdBytes = 63;

bool IsAlphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool IsIdCharacter(char c) { return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.'; }

absl::StatusOr<std::string> Id(std::string_view field, std::string_view name, std::string_view collection) {
  const std::string_view id = name.starts_with(collection) ? name.substr(collection.size()) : name;
  if (id.empty()) return base::InvalidField(field, "is missing");
  if (id.size() > kMaxIdBytes || !IsAlphanumeric(id.front()) || !std::all_of(id.begin(), id.end(), IsIdCharacter)) {
    return base::InvalidField(
        field,
        fmt::format("must be {}NAME, of at most {} letters, digits, \"-\", \"_\" and \".\", a letter or digit first: "
                    "name=\"{}\"",
                    collection, kMaxIdBytes, name.substr(0, 2 * kMaxIdBytes)));
  }
  return std::string(id);
}

}  // namespace

absl::StatusOr<int> PageSize(int requested, int standard) {
  RETURN_IF_ERROR(Between("page_size", requested, 0, kMaxPageSize));
  return requested == 0 ? standard : requested;
}

absl::StatusOr<std::string> ClusterId(std::string_view field, std::string_view name) {
  return Id(field, name, "clusters/");
}

absl::StatusOr<std::string> PlanId(std::string_view field, std::string_view name) { return Id(field, name, "plans/"); }

absl::StatusOr<std::string> RunId(std::string_view field, std::string_view name) { return Id(field, name, "runs/"); }

absl::StatusOr<std::string> ReservationId(std::string_view field, std::string_view name) {
  constexpr std::string_view kReservations = "/reservations/";
  const size_t at = name.find(kReservations);
  if (at == std::string_view::npos) {
    return base::InvalidField(field, fmt::format("must be clusters/NAME/reservations/ID: name=\"{}\"",
                                                 name.substr(0, 2 * kMaxIdBytes)));
  }
  ASSIGN_OR_RETURN(const std::string cluster, Id(field, name.substr(0, at), "clusters/"));
  ASSIGN_OR_RETURN(const std::string id, Id(field, name.substr(at + kReservations.size()), ""));
  return cluster + "/" + id;
}

}  // namespace planner::validate
