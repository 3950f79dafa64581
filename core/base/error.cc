#include "core/base/error.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/cord.h"

namespace planner::base {
namespace {

constexpr char kDetailUrl[] = "planner/error_detail";
/// The bare text without the path, so that AtField can write it anew.
constexpr char kMessageUrl[] = "planner/error_message";

absl::Status Make(absl::StatusCode code, std::string_view message, const ErrorDetail& detail) {
  std::string text = detail.field.empty() ? std::string(message) : detail.field + ": " + std::string(message);
  absl::Status status(code, text);
  const nlohmann::json json = {{"reason", detail.reason}, {"field", detail.field}, {"metadata", detail.metadata}};
  status.SetPayload(kDetailUrl, absl::Cord(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  status.SetPayload(kMessageUrl, absl::Cord(std::string(message)));
  return status;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
      const size_t substitution = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

}  // namespace

absl::Status InvalidField(std::string_view field, std::string_view message, std::string_view reason,
                          std::map<std::string, std::string> metadata) {
  return Make(absl::StatusCode::kInvalidArgument, message,
              {std::string(reason), std::string(field), std::move(metadata)});
}

absl::Status NotFound(std::string_view field, std::string_view message, std::string_view reason) {
  return Make(absl::StatusCode::kNotFound, message, {std::string(reason), std::string(field), {}});
}

absl::Status WithReason(const absl::Status& status, std::string_view reason) {
  if (status.ok()) return status;
  ErrorDetail detail = DetailOf(status);
  detail.reason = std::string(reason);
  const absl::optional<absl::Cord> bare = status.GetPayload(kMessageUrl);
  return Make(status.code(), bare.has_value() ? std::string(*bare) : std::string(status.message()), detail);
}

absl::Status AtField(std::string_view prefix, const absl::Status& status) {
  if (status.ok() || prefix.empty()) return status;
  const std::string field = DetailOf(status).field;
  const bool joined = field.empty() || field.front() == '[';
  return WithField(std::string(prefix) + (joined ? "" : ".") + field, status);
}

absl::Status WithField(std::string_view field, const absl::Status& status) {
  if (status.ok()) return status;
  ErrorDetail detail = DetailOf(status);
  detail.field = std::string(field);
  const absl::optional<absl::Cord> bare = status.GetPayload(kMessageUrl);
  return Make(status.code(), bare.has_value() ? std::string(*bare) : std::string(status.message()), detail);
}

ErrorDetail DetailOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kDetailUrl);
  if (!payload.has_value()) return {};
  const nlohmann::json json = nlohmann::json::parse(std::string(*payload), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return {};
  return {json.value("reason", ""), json.value("field", ""),
          json.value("metadata", std::map<std::string, std::string>())};
}

std::vector<std::string> NearestNames(std::string_view name, const std::vector<std::string>& candidates, int count) {
  std::vector<std::pair<size_t, size_t>> ranked;
  for (size_t i = 0; i < candidates.size(); ++i) ranked.emplace_back(EditDistance(name, candidates[i]), i);
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> nearest;
  for (const auto& [distance, index] : ranked) {
    if (nearest.size() == static_cast<size_t>(count)) break;
    nearest.push_back(candidates[index]);
  }
  return nearest;
}

std::string LikelyName(std::string_view name, const std::vector<std::string>& candidates) {
  const std::vector<std::string> nearest = NearestNames(name, candidates, 1);
  if (nearest.empty()) return "";
  return EditDistance(name, nearest.front()) <= std::max<size_t>(1, name.size() / 3) ? nearest.front() : "";
}

}  // namespace planner::base
