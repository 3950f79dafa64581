#include "clients/kubernetes/bounded_json.h"

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 100;

absl::Status CheckDepth(std::string_view text, std::string_view field) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return base::InvalidField(field, fmt::format("is nested deeper than {} levels", kMaxDepth));
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<json> ParseObject(std::string_view text, std::string_view field) {
  RETURN_IF_ERROR(CheckDepth(text, field));
  try {
    json object = json::parse(text);
    if (!object.is_object()) return base::InvalidField(field, "is no JSON object");
    return object;
  } catch (const json::parse_error& error) {
    return base::InvalidField(field, fmt::format("is no JSON at byte {}", error.byte));
  } catch (const json::exception&) {
    return base::InvalidField(field, "has a number that is too large");  // 1e400
  }
}

}  // namespace planner::kubernetes
