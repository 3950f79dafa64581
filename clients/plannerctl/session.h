#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/client.h"
#include "clients/cpp/status.h"
#include "clients/plannerctl/exit_code.h"
#include "clients/plannerctl/output.h"
#include "clients/plannerctl/table.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"

namespace planner::plannerctl {

/// A way to talk to a planner: a server's channel, or a planner of this process.
struct Connection {
  /// What the channel needs to live: the planner of this process; null for a server.
  std::shared_ptr<void> owner;
  std::vector<std::shared_ptr<grpc::Channel>> channels;  ///< Of replicas; at least one.
};

/// Flags of every command.
struct GlobalFlags {
  std::string server;  ///< Addresses with commas in between; empty: the planner is in this process.
  cpp::TlsFiles tls;
  std::string state_dir;
  OutputFormat format = OutputFormat::kTable;
  bool no_headers = false;
  bool quiet = false;
  absl::Duration timeout = absl::Seconds(30);  ///< Of the whole command; of one call where it watches.
};

/// The world around a run of plannerctl; tests hand in their own.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// Whether `out` is a terminal that shows bold text.
  bool bold = false;
  /// Whether `err` is a terminal, where progress may be shown.
  bool progress = false;
  const base::Clock& clock;
  /// Variables of the environment; none if not set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  /// Opens a connection to the server, or to a planner in this process with its state in
  /// `state_dir` (empty: the default) if `server` is empty.
  std::function<absl::StatusOr<Connection>(const GlobalFlags& flags)> connect;
  /// Whether `out` is a pipe that nobody reads any more.
  std::function<bool()> reader_left;
  /// Lets time pass, for commands that watch and for calls that are tried again (cpp::World::wait).
  std::function<void(absl::Duration, grpc::Channel*)> wait;
};

/// One command at work: its flags, its world, and the connection that opens with the first call.
class Session {
 public:
  Session(const Environment& environment, GlobalFlags flags)
      : environment_(environment), flags_(std::move(flags)), deadline_(environment.clock.Now() + flags_.timeout) {}

  std::istream& in() { return environment_.in; }
  std::ostream& out() { return environment_.out; }
  OutputFormat format() const { return flags_.format; }
  const std::string& server() const { return flags_.server; }
  std::optional<std::string> Variable(const std::string& name) const { return environment_.variable(name); }
  absl::Time now() const { return environment_.clock.Now(); }
  TableStyle style() const { return {.headers = !flags_.no_headers, .bold = environment_.bold && !flags_.quiet}; }

  /// A line "plannerctl: warning: …" on the error stream, unless `--quiet`.
  void Warn(std::string_view text);
  /// A line "plannerctl: error: …" on the error stream.
  void Error(std::string_view text);

  /// One unary call: `session.Call(&v1::EstimationService::Stub::Count, request)`. The server's
  /// error, or UNAVAILABLE, DEADLINE_EXCEEDED. A server is asked again where that may help.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
    ASSIGN_OR_RETURN(cpp::Client* const client, Client());
    return client->CallBy(deadline_, method, request);
  }

  /// A stream of answers that goes on for as long as `each` says so: `session.Watch(&v1::PlanService::Stub::WatchPlan, request, each)`.
  /// The first one must come within the timeout; where the connection is lost later, it is asked for again for so long. OK: `each` has
  /// ended it; else the server's error.
  template <typename Stub, typename Request, typename Message>
  absl::Status Watch(std::unique_ptr<grpc::ClientReader<Message>> (Stub::*method)(grpc::ClientContext*, const Request&),
                     const Request& request, const std::function<bool(const Message&)>& each) {
    bool has_come = false;
    while (true) {
      const absl::Status status = WatchOnce<Stub, Request, Message>(method, request, [&](const Message& message) {
        has_come = true;
        StartAgain(absl::ZeroDuration());
        return each(message);
      });
      if (!has_come || !absl::IsUnavailable(status) || environment_.clock.Now() >= deadline_) return status;
      Warn("the connection was lost, asking again: " + std::string(status.message()));
      environment_.wait(absl::Seconds(1), nullptr);
    }
  }

  /// All pages of a list as one answer.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> CallAllPages(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                        Request request) {
    Response all;
    while (true) {
      ASSIGN_OR_RETURN(const Response page, Call(method, request));
      all.MergeFrom(page);
      all.clear_next_page_token();
      if (page.next_page_token().empty()) return all;
      if (page.next_page_token() == request.page_token()) {
        return absl::InternalError("the server gave the same page token twice");
      }
      request.set_page_token(page.next_page_token());
    }
  }

  /// Shows how far something is on a terminal's error stream, in place of what was shown before; empty: nothing any more. Not with
  /// `--quiet`, and not where the stream is no terminal.
  void Progress(std::string_view text);

  /// The way to the planner, opened with the first call.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Channel();
  /// A client of the same planner with a timeout and tries of its own, for commands that go on and answer others. Of the session's life.
  absl::StatusOr<std::unique_ptr<cpp::Client>> NewClient(absl::Duration timeout, const cpp::RetryOptions& retry);
  /// When calls must be answered.
  absl::Time deadline() const { return deadline_; }
  /// The calls from now on have the whole timeout again, and `more`.
  void StartAgain(absl::Duration more) { deadline_ = environment_.clock.Now() + flags_.timeout + more; }

  /// Does something for each of several things, goes on with the others where one fails, and says of each that it did.
  /// The error itself for a single one; kFailed if any of several did. A server that is not there ends it at once.
  absl::StatusOr<ExitCode> ForEach(const std::vector<std::string>& names,
                                   const std::function<absl::Status(const std::string& name)>& what);

  /// Lets `duration` pass; the calls after it have the whole timeout again.
  void Wait(absl::Duration duration);

  /// Prints an answer in the asked format; `table` prints it for people.
  void Print(const google::protobuf::Message& message, const std::function<void(std::ostream&)>& table);
  /// The same for what no message of the API holds.
  void PrintJson(const std::string& json, const std::function<void(std::ostream&)>& table);

 private:
  template <typename Stub, typename Request, typename Message>
  absl::Status WatchOnce(std::unique_ptr<grpc::ClientReader<Message>> (Stub::*method)(grpc::ClientContext*,
                                                                                      const Request&),
                         const Request& request, const std::function<bool(const Message&)>& each) {
    ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, Channel());
    Stub stub(channel);
    // Shared with the alarm, which may just be ringing when this ends.
    const auto context = std::make_shared<grpc::ClientContext>();
    const auto is_late = std::make_shared<std::atomic<bool>>(false);
    grpc::Alarm alarm;  // A deadline of the call would end the stream later on.
    alarm.Set(absl::ToChronoTime(deadline_), [context, is_late](bool rang) {
      if (!rang) return;
      *is_late = true;
      context->TryCancel();
    });
    const std::unique_ptr<grpc::ClientReader<Message>> reader = (stub.*method)(context.get(), request);
    Message message;
    bool goes_on = true;
    while (goes_on && reader->Read(&message)) {
      alarm.Cancel();
      goes_on = each(message);
    }
    alarm.Cancel();
    if (!goes_on) context->TryCancel();
    const absl::Status status = cpp::FromGrpc(reader->Finish());
    if (!goes_on) return absl::OkStatus();
    if (*is_late) return absl::DeadlineExceededError("nothing has come");
    return status.ok() ? absl::UnavailableError("the server has ended the stream") : status;
  }

  /// Opened with the first call.
  absl::StatusOr<cpp::Client*> Client();

  const Environment& environment_;
  GlobalFlags flags_;
  absl::Time deadline_;
  std::optional<Connection> connection_;
  std::unique_ptr<cpp::Client> client_;  ///< Of the connection.
};

}  // namespace planner::plannerctl
