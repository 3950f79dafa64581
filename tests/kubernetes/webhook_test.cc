#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/escaping.h"
#include "clients/cpp/client.h"
#include "core/base/clock.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "tests/kubernetes/planner_fixture.h"
#include "tests/support/child_process.h"

namespace planner::kubernetes_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// What the API server waits for in deploy/kubernetes/base/webhook-configuration.yaml.
constexpr absl::Duration kApiServersTimeout = absl::Seconds(2);

class WebhookTest : public PlannerFixture {
 protected:
  WebhookTest() { MakeCertificate(); }

  void MakeCertificate() const {
    const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=planner "
                             "-addext subjectAltName=IP:127.0.0.1 -keyout " + In("tls.key") + " -out " + In("tls.crt") + " 2>/dev/null";
    EXPECT_EQ(std::system(make.c_str()), 0);
  }

  void StartWebhook(const std::string& policy, std::string planner = "") {
    if (planner.empty()) planner = address();
    std::ofstream(In("policy.yaml")) << policy;
    webhook_ = std::make_unique<support::ChildProcess>(support::ChildOptions{
        .command = {PLANNERCTL_PATH, "--server", planner, "kubernetes", "serve", "--listen", "127.0.0.1:0", "--certificate", In("tls.crt"),
                    "--key", In("tls.key"), "--policy", In("policy.yaml")},
        .user = {}});
    const std::string mark = "listening on 127.0.0.1:";
    ASSERT_TRUE(webhook_->WaitForOutput(mark, kPatience)) << webhook_->output();
    ASSERT_TRUE(webhook_->WaitForOutput("\n", kPatience));
    const std::string output = webhook_->output();
    port_ = std::stoi(output.substr(output.find(mark) + mark.size()));
    http_ = std::make_unique<httplib::SSLClient>("127.0.0.1", port_);
    http_->set_ca_cert_path(In("tls.crt").c_str());
    http_->set_read_timeout(30);
  }

  static json Recorded(const std::string& name) { return json::parse(std::ifstream(std::string(RECORDED_FOLDER) + "/" + name)); }
  json Post(const std::string& path, const json& body, int code = 200) {
    const auto answer = http_->Post(path.c_str(), body.dump(), "application/json");
    EXPECT_TRUE(answer) << httplib::to_string(answer.error());
    if (!answer) return {};
    EXPECT_EQ(answer->status, code) << answer->body;
    return json::parse(answer->body);
  }
  json Admit(const json& review) { return Post("/admit", review)["response"]; }
  /// The object after its patch.
  static json Patched(const json& review, const json& response) {
    std::string patch;
    EXPECT_TRUE(absl::Base64Unescape(response.value("patch", ""), &patch));
    return review["request"]["object"].patch(json::parse(patch));
  }
  size_t Plans() {
    const auto client = cpp::Client::Connect({.addresses = {address()}});
    const auto plans = (*client)->Call(&v1::PlanService::Stub::ListPlans, v1::ListPlansRequest());
    EXPECT_TRUE(plans.ok()) << plans.status();
    return plans.ok() ? static_cast<size_t>(plans->plans_size()) : 0;
  }

  std::unique_ptr<support::ChildProcess> webhook_;
  std::unique_ptr<httplib::SSLClient> http_;
  int port_ = 0;
};

TEST_F(WebhookTest, AJobIsPlannedOnceHoweverOftenItIsAskedAbout) {
  StartWebhook("default: {mode: enforce}\n");
  const json review = Recorded("job.json");
  const json response = Admit(review);
  EXPECT_EQ(response["allowed"], true);
  const json job = Patched(review, response);
  const std::string plan = job["metadata"]["annotations"]["planner.io/plan"];
  EXPECT_THAT(plan, ::testing::StartsWith("plans/"));
  EXPECT_GT(job["spec"]["activeDeadlineSeconds"], 3600);
  EXPECT_EQ(Patched(review, Admit(review))["metadata"]["annotations"]["planner.io/plan"], plan);
  EXPECT_EQ(Plans(), 1u);
  // The plan is there for whoever looks, over HTTP too.
  const auto kept = http_->Get(("/v1/" + plan).c_str());
  ASSERT_TRUE(kept);
  EXPECT_EQ(json::parse(kept->body)["estimate"]["recommendations"][0]["gpuCount"], "32");
}

TEST_F(WebhookTest, ARenewedCertificateIsTakenWhileItRuns) {
  StartWebhook("default: {mode: enforce}\n");
  Admit(Recorded("job.json"));
  MakeCertificate();  // cert-manager's, long before the old one ends.
  ASSERT_TRUE(webhook_->WaitForOutput("certificate read again", kPatience)) << webhook_->output();
  httplib::SSLClient http("127.0.0.1", port_);
  http.set_ca_cert_path(In("tls.crt").c_str());
  const auto answer = http.Get("/healthz");
  ASSERT_TRUE(answer) << httplib::to_string(answer.error());
  EXPECT_EQ(answer->body, "ok\n");
}

TEST_F(WebhookTest, ADryRunKeepsNothing) {
  StartWebhook("default: {mode: enforce}\n");
  json review = Recorded("job.json");
  review["request"]["dryRun"] = true;
  const json response = Admit(review);
  EXPECT_EQ(response["allowed"], true);
  EXPECT_FALSE(response["warnings"].empty());
  EXPECT_EQ(Plans(), 0u);
}

TEST_F(WebhookTest, WhatCannotBeIsRefusedInWords) {
  StartWebhook("default: {mode: enforce, max_time: 1-00:00:00}\n");
  const json slow = Admit(Recorded("pytorchjob.json"));
  EXPECT_EQ(slow["allowed"], false);
  EXPECT_THAT(slow["status"]["message"].get<std::string>(), HasSubstr("the limit is 24 hours"));
  const json large = Admit(Recorded("jobset.json"));
  EXPECT_EQ(large["allowed"], false);
  EXPECT_THAT(large["status"]["message"].get<std::string>(), HasSubstr("too much"));
  json unknown = Recorded("job.json");
  unknown["request"]["object"]["metadata"]["annotations"]["planner.io/model"] = "llama-3-8c";
  EXPECT_THAT(Admit(unknown)["status"]["message"].get<std::string>(), HasSubstr("llama-3-8b"));
  EXPECT_EQ(Plans(), 0u);
}

TEST_F(WebhookTest, NamespacesHaveRulesOfTheirOwn) {
  StartWebhook("default: {mode: enforce, max_time: 1-00:00:00}\npartitions:\n  research: {mode: advise}\n  quiet: {mode: off}\n");
  json review = Recorded("pytorchjob.json");
  const json advised = Admit(review);
  EXPECT_EQ(advised["allowed"], true);
  EXPECT_THAT(advised["warnings"].dump(), HasSubstr("the limit is 24 hours"));
  review["request"]["object"]["metadata"]["namespace"] = "quiet";
  EXPECT_EQ(Admit(review), (json{{"uid", review["request"]["uid"]}, {"allowed", true}}));
}

TEST_F(WebhookTest, BadDaysOfThePlannerEndBeforeTheApiServersTimeout) {
  StartWebhook("default: {mode: enforce, on_failure: open}\npartitions:\n  closed: {mode: enforce, on_failure: closed}\n");
  const json open = Recorded("job.json");
  json closed = open;
  closed["request"]["object"]["metadata"]["namespace"] = "closed";
  const auto check = [&](const char* day) {
    for (const json* review : {&open, &std::as_const(closed)}) {
      const absl::Time start = base::Clock::Real().Now();
      const json response = Admit(*review);
      EXPECT_LT(base::Clock::Real().Now() - start, kApiServersTimeout) << day;
      EXPECT_EQ(response["allowed"], review == &open) << day << response;
      EXPECT_THAT(response.dump(), HasSubstr("the planner does not answer")) << day;
    }
  };
  planner_->Signal(SIGSTOP);
  check("stopped");
  planner_->Signal(SIGKILL);
  planner_->Wait();
  check("dead");
  const auto ready = http_->Get("/readyz");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->status, 503);
  EXPECT_EQ(http_->Get("/healthz")->status, 200);
  // And it is found again.
  StartPlanner();
  json response;
  const absl::Time patience = base::Clock::Real().Now() + kPatience;
  while (!response.contains("patch") && base::Clock::Real().Now() < patience) response = Admit(open);
  EXPECT_TRUE(response.contains("patch")) << response;
  // Whoever has been ready stays it without the planner: the policy decides then, and not an API server that finds nobody to ask.
  EXPECT_EQ(http_->Get("/readyz")->status, 200);
  planner_->Signal(SIGKILL);
  planner_->Wait();
  EXPECT_EQ(http_->Get("/readyz")->status, 200);
  check("dead again");
}

TEST_F(WebhookTest, NobodyIsToldOfFlagsThatKubernetesHasNot) {
  StartWebhook("default: {mode: enforce}\npartitions:\n  research: {mode: advise}\n");
  const json job = Recorded("job.json");
  EXPECT_THAT(Admit(job)["warnings"].dump(), HasSubstr("activeDeadlineSeconds: "));
  const auto said = [&](const std::string& word, const std::string& value) {
    json review = job;
    review["request"]["uid"] = word + value;
    review["request"]["namespace"] = "strict";
    review["request"]["object"]["metadata"]["namespace"] = "strict";
    review["request"]["object"]["metadata"]["annotations"]["planner.io/" + word] = value;
    const std::string message = Admit(review)["status"].value("message", "");
    EXPECT_THAT(message, ::testing::Not(HasSubstr("--"))) << word;
    return message;
  };
  EXPECT_THAT(said("tokens", "many"), HasSubstr("planner: planner.io/tokens: is not a number"));
  EXPECT_THAT(said("tokens", "-5"), HasSubstr("planner: planner.io/tokens: must be above 0"));
  EXPECT_THAT(said("tokens", ""), HasSubstr("planner: metadata.annotations.planner.io/tokens: is empty"));
  EXPECT_THAT(said("tokns", "1"), HasSubstr("planner: planner.io/tokns: is no word of a job; did you mean planner.io/tokens?"));
  EXPECT_THAT(said("model", "llama-3-8c"), HasSubstr("planner: planner.io/model: no model is named"));
  EXPECT_THAT(said("model", "/etc/passwd"), HasSubstr("planner: planner.io/model: is no description"));
  EXPECT_THAT(said("plan", "plans/none"), HasSubstr("planner: planner.io/plan: there is no plan"));
  json review = job;
  review["request"]["uid"] = "selector";
  review["request"]["object"]["metadata"]["namespace"] = "strict";
  json& selector = review["request"]["object"]["spec"]["template"]["spec"]["nodeSelector"];
  selector = {{"nvidia.com/gpu.product", "H100-9000"}};
  EXPECT_THAT(Admit(review)["status"].dump(), HasSubstr("planner: nvidia.com/gpu.product: no GPU type is named"));
  review["request"]["uid"] = "no selector";
  selector = json::object();
  EXPECT_THAT(Admit(review)["status"].dump(), HasSubstr("give the pods a nodeSelector"));
  // The plan says whose it is.
  const auto plans = http_->Get("/v1/plans");
  ASSERT_TRUE(plans);
  EXPECT_THAT(plans->body, HasSubstr("\"description\":\"kubernetes training research/llama-8b of user ada@example.org in research\""));
}

TEST_F(WebhookTest, ATermSignalLetsWhatIsUnderWayBeAnsweredAndEndsIt) {
  // A planner that takes connections and says nothing: who has connected to it is asking.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = In("silent.sock");
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listening, 8), 0);
  StartWebhook("default: {mode: enforce}\n", "unix:" + path);
  std::future<json> admission = std::async(std::launch::async, [this] { return Admit(Recorded("job.json")); });
  const int connection = accept(listening, nullptr, nullptr);
  ASSERT_GE(connection, 0);
  webhook_->Signal(SIGTERM);
  ASSERT_TRUE(webhook_->WaitForOutput("draining", kPatience)) << webhook_->output();
  const json response = admission.get();
  EXPECT_EQ(response["allowed"], true) << response;
  EXPECT_THAT(response.dump(), HasSubstr("the planner does not answer"));
  EXPECT_EQ(webhook_->Wait(), 0);
  close(connection);
  close(listening);
}

TEST_F(WebhookTest, HostileRequestsCostOnlyThemselves) {
  StartWebhook("default: {mode: enforce}\n");
  EXPECT_EQ(Post("/admit", json::array(), 400)["error"]["status"], "INVALID_ARGUMENT");
  json review = Recorded("job.json");
  for (const std::string& text : {std::string("x'$(touch pwned)'"), std::string(1'000'000, 'x'), std::string("a\0b", 3), std::string("\xff"), std::string("/etc/passwd"), std::string("../../x.json")}) {
    review["request"]["object"]["metadata"]["annotations"]["planner.io/model"] = text;
    const auto answer = http_->Post("/admit", review.dump(-1, ' ', false, json::error_handler_t::replace), "application/json");
    ASSERT_TRUE(answer);
    const json response = json::parse(answer->body)["response"];
    EXPECT_EQ(response["allowed"], false) << text.substr(0, 20);
    EXPECT_LT(answer->body.size(), 10'000u);
  }
  EXPECT_FALSE(std::filesystem::exists("pwned"));
  EXPECT_EQ(Admit(Recorded("job.json"))["allowed"], true);
}

TEST_F(WebhookTest, TheApiIsTheSameOverHttp) {
  StartWebhook("");
  const json estimate = Post("/v1/estimate", {{"model", {{"preset", "gpt2"}}}, {"resources", {{"gpuTypes", {"h100"}}, {"maxGpus", 8}}}});
  EXPECT_EQ(estimate["parameterCount"], "124439808");
  EXPECT_EQ(Post("/v1/estimate", {{"model", {{"preset", "nope"}}}}, 404)["error"]["details"][0]["reason"], "UNKNOWN_MODEL");
  const json cluster = Post("/v1/clusters", {{"name", "main"}, {"nodePools", {{{"gpuType", "h100"}, {"nodeCount", 4}}}}});
  EXPECT_EQ(cluster["name"], "clusters/main");
  EXPECT_EQ(Post("/v1/clusters", {{"name", "main"}, {"nodePools", {{{"gpuType", "h100"}, {"nodeCount", 4}}}}}, 409)["error"]["status"], "ALREADY_EXISTS");
  EXPECT_EQ(http_->Delete("/v1/clusters/main")->status, 200);
  EXPECT_EQ(http_->Get("/v1/clusters/main")->status, 404);
}

}  // namespace
}  // namespace planner::kubernetes_test
