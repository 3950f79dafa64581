#include "clients/kubernetes/admission.h"

#include <nlohmann/json.hpp>

#include <utility>

#include "absl/strings/escaping.h"
#include "clients/kubernetes/bounded_json.h"
#include "clients/kubernetes/rest_api.h"
#include "core/base/error.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

/// The API server cuts warnings that are longer, and drops all of them beyond 4,096 bytes.
constexpr size_t kMostWarningBytes = 250;
constexpr size_t kMostWarnings = 8;
constexpr size_t kMostUidBytes = 100;
constexpr char kPlanPath[] = "/metadata/annotations/planner.io~1plan";

std::string TextAt(const json& object, const char* pointer) {
  const json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_string() ? object.at(path).get<std::string>() : "";
}

/// At most so many bytes, and no character cut in two.
std::string Cut(const std::string& text) {
  if (text.size() <= kMostWarningBytes) return text;
  size_t end = kMostWarningBytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

void Add(std::string path, json value, json& patch) {
  patch.push_back({{"op", "add"}, {"path", std::move(path)}, {"value", std::move(value)}});
}

bool HasVariable(const json& environment, const std::string& name) {
  if (!environment.is_array()) return false;
  for (const json& variable : environment) {
    if (variable.is_object() && variable.value("name", json()) == name) return true;
  }
  return false;
}

/// Sets variables of a container that has not set them itself.
void AddEnvironment(const json& container, const std::string& path,
                    const std::vector<std::pair<std::string, std::string>>& variables, json& patch) {
  const json environment = container.is_object() ? container.value("env", json()) : json();
  json missing = json::array();
  for (const auto& [name, value] : variables) {
    if (!HasVariable(environment, name)) missing.push_back({{"name", name}, {"value", value}});
  }
  if (missing.empty()) return;
  if (!environment.is_array()) return Add(path + "/env", std::move(missing), patch);
  for (const json& variable : missing) Add(path + "/env/-", variable, patch);
}

json PatchOf(const json& object, const Workload& workload, const jobs::Decision& decision, const std::string& server) {
  json patch = json::array();
  if (decision.time_limit_minutes.has_value() && !workload.time_limit_path.empty()) {
    const int64_t seconds = *decision.time_limit_minutes * 60;
    const json::json_pointer place(workload.time_limit_path);
    if (object.contains(place) && object.at(place).is_object()) {
      Add(workload.time_limit_path + "/activeDeadlineSeconds", seconds, patch);
    } else {
      Add(workload.time_limit_path, {{"activeDeadlineSeconds", seconds}}, patch);
    }
  }
  if (decision.plan.empty()) return patch;
  Add(kPlanPath, decision.plan, patch);
  std::vector<std::pair<std::string, std::string>> variables = {{"PLANNER_PLAN", decision.plan}};
  if (!server.empty()) variables.emplace_back("PLANNER_SERVER", server);
  for (const PodGroup& group : workload.groups) {
    if (group.gpus == 0) continue;
    const std::string path = group.path + "/containers";
    if (!object.contains(json::json_pointer(path))) continue;  // Only init containers, which train nothing.
    const json& containers = object.at(json::json_pointer(path));
    for (size_t i = 0; i < containers.size(); ++i)
      AddEnvironment(containers[i], path + "/" + std::to_string(i), variables, patch);
  }
  return patch;
}

HttpResponse ResponseOf(const std::string& uid, const jobs::Decision& decision, const json& patch) {
  json response = {{"uid", uid}, {"allowed", decision.action != jobs::Action::kRefuse}};
  if (decision.action == jobs::Action::kRefuse) {
    // The reason is for logs where there is a message: "Deadline Exceeded" tells nobody anything.
    const std::string& why = decision.messages.empty() ? decision.reason : decision.messages.front();
    response["status"] = {{"code", 403}, {"reason", "Forbidden"}, {"message", "planner: " + why}};
  } else {
    json warnings = json::array();
    for (const std::string& message : decision.messages) {
      if (warnings.size() < kMostWarnings) warnings.push_back(Cut("planner: " + message));
    }
    if (!warnings.empty()) response["warnings"] = std::move(warnings);
    if (!patch.empty()) {
      response["patchType"] = "JSONPatch";
      response["patch"] = absl::Base64Escape(patch.dump());
    }
  }
  const json review = {
      {"apiVersion", "admission.k8s.io/v1"}, {"kind", "AdmissionReview"}, {"response", std::move(response)}};
  return {.body = review.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace

HttpResponse Admit(const std::string& body, const AdmissionOptions& options) {
  const absl::StatusOr<json> review = ParseObject(body, "body");
  if (!review.ok()) return ErrorResponse(review.status());
  if (TextAt(*review, "/kind") != "AdmissionReview" || TextAt(*review, "/apiVersion") != "admission.k8s.io/v1") {
    return ErrorResponse(base::InvalidField("kind", "is no AdmissionReview of admission.k8s.io/v1"));
  }
  const std::string uid = TextAt(*review, "/request/uid");
  if (uid.empty()) return ErrorResponse(base::InvalidField("request.uid", "is missing"));
  if (uid.size() > kMostUidBytes) return ErrorResponse(base::InvalidField("request.uid", "is longer than 100 bytes"));
  const json& request = review->at("request");
  if (TextAt(request, "/operation") != "CREATE" || !request.contains("object")) return ResponseOf(uid, {}, {});

  const json& object = request.at("object");
  absl::StatusOr<std::optional<Workload>> workload = ReadWorkload(object);
  const std::string name_space = TextAt(request, "/namespace");
  if (!workload.ok()) return ResponseOf(uid, options.decide_unreadable(workload.status(), name_space), {});
  if (!workload->has_value()) return ResponseOf(uid, {}, {});
  // The object of a creation may leave its namespace out.
  if ((*workload)->name_space.empty()) (*workload)->name_space = name_space;
  const json dry_run = request.value("dryRun", json(false));
  const AdmissionRequest asked{.workload = **std::move(workload),
                               .uid = uid,
                               .user = TextAt(request, "/userInfo/username"),
                               .is_dry_run = dry_run.is_boolean() && dry_run.get<bool>()};
  const jobs::Decision decision = options.decide(asked);
  return ResponseOf(uid, decision, PatchOf(object, asked.workload, decision, options.server_for_pods));
}

}  // namespace planner::kubernetes
