#include "core/store/page_token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::store {
namespace {

constexpr char kSeparator = '\n';

bool IsHex(std::string_view text) {
  return text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

absl::Status WrongToken() { return base::InvalidField("page_token", "is not a next_page_token of this list"); }

}  // namespace

std::string EncodePageToken(std::string_view scope, std::string_view position) {
  return absl::BytesToHexString(std::string(scope) + kSeparator + std::string(position));
}

absl::StatusOr<std::string> DecodePageToken(std::string_view scope, std::string_view token) {
  if (token.empty()) return std::string();
  if (!IsHex(token)) return WrongToken();
  const std::string text = absl::HexStringToBytes(std::string(token));
  const std::string prefix = std::string(scope) + kSeparator;
  if (!text.starts_with(prefix) || text.size() == prefix.size()) return WrongToken();
  return text.substr(prefix.size());
}

absl::StatusOr<int64_t> DecodeNumberToken(std::string_view scope, std::string_view token, int64_t first) {
  ASSIGN_OR_RETURN(const std::string position, DecodePageToken(scope, token));
  if (position.empty()) return first;
  int64_t number = 0;
  if (!absl::SimpleAtoi(position, &number) || number < 0) return WrongToken();
  return number;
}

std::string ListScope(Kind kind, Order order) {
  return std::string(KindName(kind)) + (order == Order::kByName ? "/name" : "/newest");
}

}  // namespace planner::store
