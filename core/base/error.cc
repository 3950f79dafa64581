#include "core/base/error.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

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

/// Letters to change, add or leave out; two neighbours that changed places are one. Without regard to case.
size_t EditDistance(std::string_view a, std::string_view b) {
  const auto same = [&](size_t i, size_t j) {
    return std::tolower(static_cast<unsigned char>(a[i - 1])) == std::tolower(static_cast<unsigned char>(b[j - 1]));
  };
  std::vector<size_t> before, last, row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same(i, j) ? 0 : 1)});
      if (i > 1 && j > 1 && same(i, j - 1) && same(i - 1, j)) row[j] = std::min(row[j], before[j - 2] + 1);
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

absl::Status WithReason(const absl::Status& status, std::string_view reason, const std::map<std::string, std::string>& metadata) {
  if (status.ok()) return status;
  ErrorDetail detail = DetailOf(status);
  detail.reason = std::string(reason);
  for (const auto& [name, value] : metadata) detail.metadata[name] = value;
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
  // Of equally near ones, one of the same length: "modle" is model rather than mode.
  std::vector<std::tuple<size_t, size_t, size_t>> ranked;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const size_t length = candidates[i].size();
    ranked.emplace_back(EditDistance(name, candidates[i]),
                        std::max(length, name.size()) - std::min(length, name.size()), i);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> nearest;
  for (const auto& [distance, length, index] : ranked) {
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
