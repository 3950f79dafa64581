#include "clients/kubernetes/api_server.h"

#include <httplib.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "clients/kubernetes/bounded_json.h"
#include "clients/kubernetes/http.h"
#include "clients/kubernetes/pod_gpus.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

constexpr char kAccount[] = "/var/run/secrets/kubernetes.io/serviceaccount/";
constexpr size_t kMostPageBytes = 64 << 20;
constexpr int kMostPages = 10'000;
constexpr int kItemsOfPage = 500;

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::string token;
  if (!(file >> token)) return absl::FailedPreconditionError(fmt::format("the token cannot be read: file=\"{}\"", path));
  return token;
}

/// What the server has said, which may be anybody's text.
std::string Said(const std::string& body) {
  const absl::StatusOr<json> status = ParseObject(body, "body");
  return status.ok() ? TextOf(Member(*status, "message")) : "";
}

absl::Status ErrorOf(int code, const std::string& path, const std::string& body) {
  const std::string text = fmt::format("the API server answers {} to {}: {}", code, path, Said(body));
  if (code == 401 || code == 403) return absl::PermissionDeniedError(text);
  if (code == 404) return absl::NotFoundError(text);
  if (code == 409) return absl::AbortedError(text);
  if (code == 410) return absl::AbortedError(text);  // The list has become too old while it was read.
  if (code == 429 || code >= 500) return absl::UnavailableError(text);
  return absl::DataLossError(text);
}

absl::StatusOr<std::unique_ptr<httplib::Client>> Connect(const ApiServerOptions& options) {
  const auto wrong_url = [&] { return base::InvalidField("url", fmt::format("is no http:// or https:// address: value=\"{}\"", options.url)); };
  // httplib throws at other schemes.
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://")) return wrong_url();
  auto http = std::make_unique<httplib::Client>(options.url);
  if (!http->is_valid()) return wrong_url();
  ASSIGN_OR_RETURN(const std::string token, ReadToken(options.token_file));
  const auto seconds = static_cast<time_t>(absl::ToInt64Seconds(absl::Ceil(options.timeout, absl::Seconds(1))));
  http->set_connection_timeout(seconds);
  http->set_read_timeout(seconds);
  http->set_keep_alive(true);
  http->set_follow_location(false);
  if (!options.ca_file.empty()) http->set_ca_cert_path(options.ca_file.c_str());
  if (!token.empty()) http->set_bearer_token_auth(token.c_str());
  return http;
}

/// The body of a good answer, whole and bounded, until `end`. `path` is what errors call it.
absl::StatusOr<std::string> Answer(httplib::Client& http, httplib::Request request, const std::string& path, absl::Time end,
                                   const ApiServerOptions& options) {
  const auto is_late = [&] { return base::Clock::Real().Now() >= end; };
  std::string body;
  request.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
    body.append(data, size);
    return body.size() <= kMostPageBytes && !is_late();
  };
  const auto answer = http.send(request);
  if (is_late()) {
    return absl::DeadlineExceededError(
        fmt::format("the API server has not told all of {} within {} s", path, absl::ToInt64Seconds(options.whole)));
  }
  if (body.size() > kMostPageBytes) return absl::DataLossError(fmt::format("what the API server answers to {} is larger than 64 MiB", path));
  if (!answer) {
    return absl::UnavailableError(fmt::format("the API server does not answer: {}: {}", options.url, httplib::to_string(answer.error())));
  }
  if (answer->status < 200 || answer->status > 299) return ErrorOf(answer->status, path, body);
  return body;
}

}  // namespace

absl::StatusOr<ApiServerOptions> ApiServerOptions::OfPod(const std::function<std::string(const std::string&)>& variable) {
  const std::string host = variable("KUBERNETES_SERVICE_HOST"), port = variable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) return absl::FailedPreconditionError("this is no pod of Kubernetes (KUBERNETES_SERVICE_HOST): say where the API server is");
  return ApiServerOptions{.url = "https://" + HostAndPort(host, port),
                          .token_file = std::string(kAccount) + "token",
                          .ca_file = std::string(kAccount) + "ca.crt"};
}

absl::Status ApiServer::List(const std::string& path, const std::string& query, const std::function<absl::Status(const json&)>& each) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<httplib::Client> http, Connect(options_));
  const absl::Time end = base::Clock::Real().Now() + options_.whole;
  std::string more;
  for (int page = 0; page < kMostPages; ++page) {
    std::string target = fmt::format("{}?limit={}", path, kItemsOfPage);
    if (!query.empty()) target += "&" + query;
    if (!more.empty()) target += "&continue=" + httplib::detail::encode_query_param(more);
    httplib::Request request;
    request.method = "GET";
    request.path = target;
    ASSIGN_OR_RETURN(const std::string body, Answer(*http, std::move(request), path, end, options_));
    const absl::StatusOr<json> list = ParseObject(body, path);
    if (!list.ok() || !Member(*list, "items").is_array()) return absl::DataLossError(fmt::format("the answer to {} is no list", path));
    for (const json& item : (*list)["items"]) RETURN_IF_ERROR(each(item));
    const std::string next = TextOf(Member(Member(*list, "metadata"), "continue"));
    if (next.empty()) return absl::OkStatus();
    if (next == more) return absl::DataLossError(fmt::format("{} goes on where it has begun", path));
    more = next;
  }
  return absl::DataLossError(fmt::format("{} has more than {} pages", path, kMostPages));
}

absl::Status ApiServer::Apply(const std::string& path, const json& object, const std::string& manager) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<httplib::Client> http, Connect(options_));
  httplib::Request request;
  request.method = "PATCH";
  request.path = fmt::format("{}?fieldManager={}&force=true", path, httplib::detail::encode_query_param(manager));
  request.set_header("Content-Type", "application/apply-patch+yaml");  // YAML is what the media type says; every JSON text is one.
  request.body = object.dump();
  return Answer(*http, std::move(request), path, base::Clock::Real().Now() + options_.whole, options_).status();
}

}  // namespace planner::kubernetes
