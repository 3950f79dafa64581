#include "clients/plannerctl/session.h"

#include "fmt/format.h"

namespace planner::plannerctl {

void Session::Warn(std::string_view text) {
  if (!flags_.quiet) environment_.err << "plannerctl: warning: " << Printable(text) << '\n';
}

void Session::Progress(std::string_view text) {
  if (!environment_.progress || flags_.quiet) return;
  constexpr std::string_view kClearLine = "\r\x1b[K";
  environment_.err << kClearLine << Printable(text) << std::flush;
}

absl::StatusOr<ExitCode> Session::ForEach(const std::vector<std::string>& names,
                                          const std::function<absl::Status(const std::string& name)>& what) {
  bool failed = false;
  for (const std::string& name : names) {
    const absl::Status status = what(name);
    if (status.ok()) continue;
    if (names.size() == 1 || absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) return status;
    Error(fmt::format("{}: {}", name, std::string(status.message())));
    failed = true;
  }
  return failed ? ExitCode::kFailed : ExitCode::kOk;
}

void Session::Wait(absl::Duration duration) {
  environment_.wait(duration, nullptr);
  deadline_ = environment_.clock.Now() + flags_.timeout;
}

void Session::Error(std::string_view text) { environment_.err << "plannerctl: error: " << Printable(text) << '\n'; }

void Session::Print(const google::protobuf::Message& message, const std::function<void(std::ostream&)>& table) {
  switch (flags_.format) {
    case OutputFormat::kTable:
      return table(out());
    case OutputFormat::kJson:
      out() << ToJson(message);
      return;
    case OutputFormat::kYaml:
      out() << ToYaml(message);
      return;
  }
}

void Session::PrintJson(const std::string& json, const std::function<void(std::ostream&)>& table) {
  switch (flags_.format) {
    case OutputFormat::kTable:
      return table(out());
    case OutputFormat::kJson:
      out() << json << (json.ends_with('\n') ? "" : "\n");
      return;
    case OutputFormat::kYaml:
      out() << JsonToYaml(json);
      return;
  }
}

absl::StatusOr<cpp::Client*> Session::Client() {
  if (client_ == nullptr) {
    ASSIGN_OR_RETURN(connection_, environment_.connect(flags_));
    // Somebody waits for the answer; the planner in this process has done what it can.
    const cpp::RetryOptions retry{.most_rounds = flags_.server.empty() ? 1 : 3};
    cpp::World world = cpp::World::Real();
    world.now = [this] { return environment_.clock.Now(); };
    world.wait = [this](absl::Duration duration, grpc::Channel* channel) { environment_.wait(duration, channel); };
    client_ = std::make_unique<cpp::Client>(connection_->channels, flags_.timeout, retry, std::move(world));
  }
  return client_.get();
}

absl::StatusOr<std::unique_ptr<cpp::Client>> Session::NewClient(absl::Duration timeout, const cpp::RetryOptions& retry) {
  RETURN_IF_ERROR(Client().status());
  return std::make_unique<cpp::Client>(connection_->channels, timeout, retry);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Session::Channel() {
  ASSIGN_OR_RETURN(const cpp::Client* const client, Client());
  return client->channel();
}

}  // namespace planner::plannerctl
