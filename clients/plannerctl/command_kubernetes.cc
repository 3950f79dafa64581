#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "clients/kubernetes/admission.h"
#include "clients/kubernetes/http_server.h"
#include "clients/kubernetes/rest_api.h"
#include "clients/kubernetes/wording.h"
#include "clients/plannerctl/command.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/kubernetes_commands.h"
#include "clients/plannerctl/planner_calls.h"
#include "clients/plannerctl/policy_file.h"
#include "clients/plannerctl/stop_signal.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

struct ServeFlags {
  std::string listen, certificate, key, client_ca, policy, budget, pod_server;
};

/// The training as the rules of sites see jobs: its namespace is the partition.
jobs::Job JobOf(const kubernetes::AdmissionRequest& request) {
  const kubernetes::Workload& workload = request.workload;
  jobs::Job job;
  job.partition = workload.name_space;
  job.account = workload.name_space;
  job.user = request.user;
  job.name = workload.name;
  if (workload.gpus() > 0) {
    job.gpus = jobs::GpuRequest{
        .scope = jobs::GpuScope::kJob, .type = workload.gpu_product(), .count = workload.gpus(), .prefix = {}};
  }
  job.time_limit = workload.time_limit;
  job.takes_time_limit = !workload.time_limit_path.empty();
  job.wording = kubernetes::KubernetesWording();
  job.words = workload.words;
  return job;
}

/// Its number of GPUs is a matter of how it is written: parallelism, replicas, limits.
jobs::Policy WithoutResizing(jobs::Policy policy) {
  policy.other.change_count = policy.other.change_type = false;
  for (auto& [name, rules] : policy.partitions) rules.change_count = rules.change_type = false;
  return policy;
}

/// Answers HTTP requests. Thread-safe.
class Front {
 public:
  Front(jobs::Policy policy, absl::Duration budget, std::string pod_server, std::unique_ptr<cpp::Client> quick,
        std::unique_ptr<cpp::Client> client)
      : policy_(WithoutResizing(std::move(policy))),
        budget_(budget),
        quick_(std::move(quick)),
        client_(std::move(client)),
        api_(*client_) {
    admission_ = {.decide = [this](const kubernetes::AdmissionRequest& request) { return Decide(request); },
                  .decide_unreadable =
                      [this](const absl::Status& status, const std::string& name_space) {
                        return jobs::Decide(policy_, absl::StatusOr<jobs::Job>(status), name_space, {});
                      },
                  .server_for_pods = std::move(pod_server)};
  }

  kubernetes::HttpResponse Answer(const kubernetes::HttpRequest& request) {
    if (request.path == "/healthz") return {.body = "ok\n", .content_type = "text/plain"};
    if (request.path == "/readyz") return Ready();
    if (request.path == "/admit") {
      return request.method == "POST" ? kubernetes::Admit(request.body, admission_) : kubernetes::WrongMethod(request);
    }
    return api_.Answer(request);
  }

 private:
  jobs::Decision Decide(const kubernetes::AdmissionRequest& request) {
    const absl::Time end = base::Clock::Real().Now() + budget_;
    const jobs::PlannerCalls planner =
        CallsOf(*quick_, end, policy_.model_folders,
                {.request_id = "admission-" + request.uid, .validate_only = request.is_dry_run});
    return jobs::Decide(policy_, JobOf(request), planner);
  }

  /// Once the planner was reached. From then on also while it is away: what becomes of a training then is the policy's to say, and in words; without
  /// a webhook that is ready, the API server decides, and says that a service has no endpoints.
  kubernetes::HttpResponse Ready() {
    const kubernetes::HttpResponse ok = {.body = "ok\n", .content_type = "text/plain"};
    if (was_reached_) return ok;
    const auto version = quick_->Call(&v1::EstimationService::Stub::GetVersion, v1::GetVersionRequest());
    was_reached_ = version.ok();
    if (version.ok()) return ok;
    return {.code = 503,
            .body = fmt::format("the planner: {}\n", std::string(version.status().message())),
            .content_type = "text/plain"};
  }

  const jobs::Policy policy_;
  const absl::Duration budget_;
  const std::unique_ptr<cpp::Client> quick_;   ///< Of who has no time: what is not there at once is not there.
  const std::unique_ptr<cpp::Client> client_;  ///< Of the API.
  std::atomic<bool> was_reached_ = false;
  kubernetes::AdmissionOptions admission_;
  kubernetes::RestApi api_;
};

absl::StatusOr<kubernetes::HttpServerOptions> ServerOptionsOf(const ServeFlags& flags) {
  kubernetes::HttpServerOptions options{
      .certificate_file = flags.certificate, .key_file = flags.key, .client_ca_file = flags.client_ca};
  const size_t colon = flags.listen.rfind(':');
  if (colon == std::string::npos)
    return absl::InvalidArgumentError(fmt::format("--listen: is no HOST:PORT: value=\"{}\"", flags.listen));
  options.host = flags.listen.substr(0, colon);
  const std::string port = flags.listen.substr(colon + 1);
  if (options.host.empty() || port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535) {
    return absl::InvalidArgumentError(fmt::format("--listen: is no HOST:PORT: value=\"{}\"", flags.listen));
  }
  options.port = std::stoi(port);
  if (options.host.starts_with('[') && options.host.ends_with(']')) options.host = options.host.substr(1, options.host.size() - 2);
  if (flags.certificate.empty() != flags.key.empty()) {
    return absl::InvalidArgumentError(fmt::format("{}: is missing: a certificate and its key belong together",
                                                  flags.key.empty() ? "--key" : "--certificate"));
  }
  if (!flags.client_ca.empty() && flags.key.empty())
    return absl::InvalidArgumentError("--client-ca: needs --certificate and --key");
  return options;
}

absl::StatusOr<ExitCode> Serve(const ServeFlags& flags, Session& session) {
  absl::Duration budget = absl::Milliseconds(1500);
  RETURN_IF_ERROR(FillFlag("--budget", flags.budget, ParseDuration, [&](absl::Duration value) { budget = value; }));
  ASSIGN_OR_RETURN(const kubernetes::HttpServerOptions options, ServerOptionsOf(flags));
  ASSIGN_OR_RETURN(jobs::Policy policy, ReadPolicy(flags.policy, session.in()));
  ASSIGN_OR_RETURN(auto quick, session.NewClient(budget, {.most_rounds = 1}));
  ASSIGN_OR_RETURN(auto client, session.NewClient(absl::Seconds(30), {}));
  Front front(std::move(policy), budget, flags.pod_server, std::move(quick), std::move(client));
  const auto server =
      kubernetes::HttpServer::Start(options, [&](const kubernetes::HttpRequest& request) { return front.Answer(request); });
  // Of this machine, and not of the planner's being there.
  if (!server.ok()) return absl::FailedPreconditionError(server.status().message());
  WaitForStopSignal(absl::ZeroDuration());  // From here on a signal lets it drain.
  session.out() << fmt::format("listening on {}\n", kubernetes::HostAndPort(options.host, std::to_string((*server)->port()))) << std::flush;
  while (!WaitForStopSignal(absl::Seconds(1))) {
    const absl::StatusOr<bool> is_new = (*server)->ReadCertificatesAgain();
    if (!is_new.ok())
      session.Warn(fmt::format("the changed certificate is not used: {}", std::string(is_new.status().message())));
    if (is_new.ok() && *is_new) session.out() << "certificate read again\n" << std::flush;
  }
  session.out() << "draining\n" << std::flush;
  return ExitCode::kOk;  // What is under way is answered by the server's end.
}

}  // namespace

void AddKubernetesCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = *root.add_subcommand("kubernetes", "The planner for Kubernetes")->require_subcommand(1);
  const auto flags = std::make_shared<ServeFlags>();
  flags->listen = "127.0.0.1:8443";
  CLI::App& serve = *noun.add_subcommand(
      "serve", "The API over HTTP and JSON under /v1, and an admission webhook at /admit, until it is ended");
  AddFlag(serve, "--listen", flags->listen, "Where; port 0 is any that is free", "HOST:PORT");
  AddFlag(serve, "--certificate", flags->certificate,
          "PEM file; with --key HTTPS is spoken, which the API server insists on [HTTP]", "FILE");
  AddFlag(serve, "--key", flags->key, "Its key", "FILE");
  AddFlag(serve, "--client-ca", flags->client_ca, "Only clients are answered whose certificate it has signed [all are]",
          "FILE");
  AddFlag(serve, "--policy", flags->policy, "The site's policy; namespaces are its partitions [advise on everything]",
          "FILE");
  AddFlag(serve, "--budget", flags->budget, "How long the planner may take for an admission [1500ms]", "DURATION");
  AddFlag(serve, "--pod-server", flags->pod_server, "PLANNER_SERVER of the containers that are planned [none]",
          "ADDRESS");
  serve.callback([flags, &chosen] { chosen = [flags](Session& session) { return Serve(*flags, session); }; });
  AddKueueCommand(noun, chosen);
}

}  // namespace planner::plannerctl
