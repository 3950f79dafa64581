#include "clients/kubernetes/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "clients/kubernetes/http_server.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ApiServerTest : public ::testing::Test {
 protected:
  /// Starts a server that answers as `answer_` does.
  ApiServer Start() {
    server_ = *HttpServer::Start({}, [this](const HttpRequest& request) {
      asked_.push_back(request);
      return answer_(request);
    });
    return ApiServer({.url = fmt::format("http://127.0.0.1:{}", server_->port()), .token_file = "", .ca_file = ""});
  }
  absl::StatusOr<std::vector<std::string>> Names(const ApiServer& server) {
    std::vector<std::string> names;
    const absl::Status status = server.List("/api/v1/nodes", "", [&](const json& item) {
      names.push_back(item.value("name", ""));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return names;
  }
  absl::Status ErrorAt(const HttpResponse& answer) {
    answer_ = [answer](const HttpRequest&) { return answer; };
    return Names(Start()).status();
  }

  std::function<HttpResponse(const HttpRequest&)> answer_;
  std::vector<HttpRequest> asked_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ApiServerTest, ReadsAllPages) {
  answer_ = [](const HttpRequest& request) {
    const auto more = request.query.find("continue");
    json list = {{"kind", "NodeList"}, {"metadata", {{"continue", more == request.query.end() ? "a/b=" : ""}}}};
    list["items"] = {{{"name", more == request.query.end() ? "first" : more->second}}};
    return HttpResponse{.body = list.dump()};
  };
  const auto names = Names(Start());
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_THAT(*names, ElementsAre("first", "a/b="));
  EXPECT_EQ(asked_[0].query.find("limit")->second, "500");
}

TEST_F(ApiServerTest, ErrorsAreTyped) {
  const HttpResponse forbidden{.code = 403, .body = R"({"kind": "Status", "message": "nodes is forbidden"})"};
  EXPECT_TRUE(absl::IsPermissionDenied(ErrorAt(forbidden)));
  EXPECT_THAT(std::string(ErrorAt(forbidden).message()), HasSubstr("403 to /api/v1/nodes: nodes is forbidden"));
  EXPECT_TRUE(absl::IsUnavailable(ErrorAt({.code = 500, .body = "<html>"})));
  EXPECT_TRUE(absl::IsAborted(ErrorAt({.code = 410, .body = ""})));
  EXPECT_TRUE(absl::IsDataLoss(ErrorAt({.code = 302, .body = ""})));
  EXPECT_TRUE(absl::IsDataLoss(ErrorAt({.code = 200, .body = "no JSON"})));
  EXPECT_TRUE(absl::IsDataLoss(ErrorAt({.code = 200, .body = R"({"items": 7})"})));
  EXPECT_TRUE(absl::IsDataLoss(ErrorAt({.code = 200, .body = std::string(1'000'000, '[')})));
  server_.reset();
  EXPECT_TRUE(absl::IsUnavailable(Names(ApiServer({.url = "http://127.0.0.1:1", .token_file = "", .ca_file = ""})).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Names(ApiServer({.url = "ftp://x", .token_file = "", .ca_file = ""})).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Names(ApiServer({.url = "http://127.0.0.1:1", .token_file = "/nowhere", .ca_file = ""})).status()));
}

TEST_F(ApiServerTest, ListsThatDoNotEndAreLeft) {
  EXPECT_THAT(std::string(ErrorAt({.body = R"({"items": [{}], "metadata": {"continue": "x"}})"}).message()), HasSubstr("goes on where it has begun"));
  int pages = 0;
  answer_ = [&](const HttpRequest&) { return HttpResponse{.body = fmt::format(R"({{"items": [], "metadata": {{"continue": "{}"}}}})", ++pages)}; };
  Start();
  const absl::Status status = Names(ApiServer({.url = fmt::format("http://127.0.0.1:{}", server_->port()), .token_file = "", .ca_file = "",
                                               .whole = absl::Milliseconds(100)})).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(ApiServerTest, AppliesInItsName) {
  answer_ = [](const HttpRequest&) { return HttpResponse{.body = "{}"}; };
  const ApiServer server = Start();
  ASSERT_TRUE(server.Apply("/apis/x/status", {{"kind", "X"}}, "a manager").ok());
  EXPECT_EQ(asked_[0].method, "PATCH");
  EXPECT_EQ(asked_[0].path, "/apis/x/status");
  EXPECT_EQ(asked_[0].query.find("fieldManager")->second, "a manager");
  EXPECT_EQ(asked_[0].query.find("force")->second, "true");
  EXPECT_EQ(asked_[0].body, R"({"kind":"X"})");
  answer_ = [](const HttpRequest&) { return HttpResponse{.code = 409, .body = R"({"message": "the object has been modified"})"}; };
  const absl::Status changed = Start().Apply("/apis/x/status", {{"kind", "X"}}, "m");
  EXPECT_TRUE(absl::IsAborted(changed)) << changed;
  EXPECT_THAT(std::string(changed.message()), HasSubstr("the object has been modified"));
  answer_ = [](const HttpRequest&) { return HttpResponse{.body = std::string((64 << 20) + 1, ' ')}; };
  const absl::Status large = Start().Apply("/apis/x/status", {{"kind", "X"}}, "m");
  EXPECT_TRUE(absl::IsDataLoss(large)) << large;
}

TEST_F(ApiServerTest, ThePodsOwnServerIsInItsEnvironment) {
  const auto options = ApiServerOptions::OfPod([](const std::string& name) { return name == "KUBERNETES_SERVICE_HOST" ? "fd00::1" : "443"; });
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->url, "https://[fd00::1]:443");
  EXPECT_EQ(options->token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
  EXPECT_TRUE(absl::IsFailedPrecondition(ApiServerOptions::OfPod([](const std::string&) { return ""; }).status()));
}

}  // namespace
}  // namespace planner::kubernetes
