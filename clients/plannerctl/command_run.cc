#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <deque>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/command.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/numbers.h"
#include "clients/plannerctl/progress_lines.h"
#include "clients/plannerctl/run_view.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/run_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using Stub = v1::RunService::Stub;

/// What the server takes in one message.
constexpr int kSamplesOfAMessage = 1000;
/// Reports that one call sends at most; also how many wait while a server is away.
constexpr size_t kSamplesOfACall = 10'000;

constexpr std::array<std::pair<std::string_view, v1::Run::State>, 3> kEnds = {{
    {"succeeded", v1::Run::SUCCEEDED},
    {"failed", v1::Run::FAILED},
    {"cancelled", v1::Run::CANCELLED},
}};
constexpr std::array<std::pair<std::string_view, v1::Run::State>, 4> kStates = {{
    {"running", v1::Run::RUNNING},
    {"succeeded", v1::Run::SUCCEEDED},
    {"failed", v1::Run::FAILED},
    {"cancelled", v1::Run::CANCELLED},
}};

/// What the server calls it; the prefix may be left out.
std::string FullName(std::string_view prefix, const std::string& name) {
  return name.starts_with(prefix) ? name : std::string(prefix) + name;
}
std::string RunName(const std::string& name) { return FullName("runs/", name); }
std::string PlanName(const std::string& name) { return FullName("plans/", name); }

struct StartFlags {
  std::string plan, description, start_time, request_id;
  bool dry_run = false;
};

absl::StatusOr<ExitCode> Start(const StartFlags& flags, Session& session) {
  v1::StartRunRequest request;
  request.mutable_run()->set_plan(PlanName(flags.plan));
  request.mutable_run()->set_description(flags.description);
  RETURN_IF_ERROR(FillFlag("--start-time", flags.start_time, ParseTime,
                           [&](absl::Time time) { SetTime(time, *request.mutable_run()->mutable_start_time()); }));
  request.set_request_id(flags.request_id);
  request.set_validate_only(flags.dry_run);
  ASSIGN_OR_RETURN(const v1::Run run, session.Call(&Stub::StartRun, request));
  session.Print(run, [&](std::ostream& out) { PrintRun(run, session.style(), out); });
  return ExitCode::kOk;
}

/// One sample from flags.
struct SampleFlags {
  std::string step, time, tokens, tokens_per_second, loss, gpu_utilization;
  bool any() const {
    return !(step.empty() && time.empty() && tokens.empty() && tokens_per_second.empty() && loss.empty() && gpu_utilization.empty());
  }
};

absl::StatusOr<v1::ProgressSample> BuildSample(const SampleFlags& flags) {
  v1::ProgressSample sample;
  RETURN_IF_ERROR(FillFlag("--step", flags.step, ParseInteger, [&](int64_t step) { sample.set_step(step); }));
  RETURN_IF_ERROR(FillFlag("--time", flags.time, ParseTime, [&](absl::Time time) { SetTime(time, *sample.mutable_time()); }));
  RETURN_IF_ERROR(FillFlag("--tokens", flags.tokens, ParseNumber, [&](double tokens) { sample.set_token_count(tokens); }));
  RETURN_IF_ERROR(FillFlag("--tokens-per-second", flags.tokens_per_second, ParseNumber,
                           [&](double rate) { sample.set_tokens_per_second(rate); }));
  RETURN_IF_ERROR(FillFlag("--loss", flags.loss, ParseNumber, [&](double loss) { sample.set_loss(loss); }));
  RETURN_IF_ERROR(FillFlag("--gpu-utilization", flags.gpu_utilization, ParseRatio,
                           [&](double ratio) { sample.set_gpu_utilization_ratio(ratio); }));
  return sample;
}

/// The field of a refused sample as its flag: "samples[0].loss: must be a number" reads "--loss: must be a number".
std::string AsFlag(const std::string& refusal) {
  const size_t dot = refusal.find("].");
  const size_t colon = refusal.find(':');
  if (!refusal.starts_with("samples[") || dot == std::string::npos || colon == std::string::npos || colon < dot) return refusal;
  std::string field = refusal.substr(dot + 2, colon - dot - 2);
  field = field.substr(0, field.find('.'));
  if (field == "token_count") field = "tokens";
  if (field == "gpu_utilization_ratio") field = "gpu_utilization";
  std::replace(field.begin(), field.end(), '_', '-');
  return "--" + field + refusal.substr(colon);
}

/// Sends reports of a run, in calls of their own, so that each has an answer and a deadline.
absl::StatusOr<v1::ReportProgressResponse> Send(const std::string& run, const std::vector<v1::ProgressSample>& samples, Session& session) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, session.Channel());
  Stub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(session.deadline()));
  v1::ReportProgressResponse response;
  const std::unique_ptr<grpc::ClientWriter<v1::ReportProgressRequest>> writer = stub.ReportProgress(&context, &response);
  v1::ReportProgressRequest message;
  message.set_run(run);
  bool is_open = true;
  for (size_t i = 0; i < samples.size() && is_open; ++i) {
    *message.add_samples() = samples[i];
    if (message.samples_size() < kSamplesOfAMessage) continue;
    is_open = writer->Write(message);
    message.clear_samples();
  }
  if (is_open && (samples.empty() || message.samples_size() > 0)) writer->Write(message);
  writer->WritesDone();
  RETURN_IF_ERROR(cpp::FromGrpc(writer->Finish()));
  return response;
}

absl::StatusOr<ExitCode> ReportOne(const std::string& run, const SampleFlags& flags, Session& session) {
  ASSIGN_OR_RETURN(const v1::ProgressSample sample, BuildSample(flags));
  if (!sample.has_step() && !sample.has_token_count()) return absl::InvalidArgumentError("--step or --tokens: is missing");
  ASSIGN_OR_RETURN(const v1::ReportProgressResponse response, Send(RunName(run), {sample}, session));
  if (response.refused_count() > 0) {
    return absl::InvalidArgumentError(response.refusals().empty() ? "the report was refused" : AsFlag(response.refusals(0)));
  }
  session.Print(response, [&](std::ostream& out) {
    out << Printable(fmt::format("run/{} reported: {}", RunShortName(response.run().name()), ProgressText(response.run()))) << '\n';
  });
  return ExitCode::kOk;
}

/// Lines of reports on their way to the server.
class LineReporter {
 public:
  LineReporter(std::string run, Session& session) : run_(std::move(run)), session_(session) {}

  void Add(v1::ProgressSample sample, int64_t line) {
    // While a server is away the oldest ones make room: a training must not fail for want of memory of its reports.
    if (waiting_.size() == kSamplesOfACall) {
      waiting_.pop_front();
      ++dropped_;
    }
    waiting_.emplace_back(std::move(sample), line);
  }
  bool is_full() const { return waiting_.size() == kSamplesOfACall; }
  size_t waiting() const { return waiting_.size(); }

  void Refuse(int64_t line, std::string_view why) {
    all_.set_refused_count(all_.refused_count() + 1);
    WarnOf(fmt::format("line {}: {}", line, why));
  }

  /// Sends what waits. `is_last`: no other try will follow.
  absl::Status Flush(bool is_last) {
    std::vector<v1::ProgressSample> samples;
    for (const auto& [sample, line] : waiting_) samples.push_back(sample);
    session_.StartAgain(absl::ZeroDuration());
    const absl::StatusOr<v1::ReportProgressResponse> response = Send(run_, samples, session_);
    if (!response.ok()) {
      const bool may_come_back = absl::IsUnavailable(response.status()) || absl::IsDeadlineExceeded(response.status());
      if (is_last || !may_come_back) return response.status();
      if (!std::exchange(is_away_, true)) {
        session_.Warn(fmt::format("the server is away; reports wait for it: {}", std::string(response.status().message())));
      }
      return absl::OkStatus();
    }
    is_away_ = false;
    all_.set_accepted_count(all_.accepted_count() + response->accepted_count());
    all_.set_refused_count(all_.refused_count() + response->refused_count());
    *all_.mutable_run() = response->run();
    for (const std::string& refusal : response->refusals()) WarnOf(AtLine(refusal));
    waiting_.clear();
    return absl::OkStatus();
  }

  const v1::ReportProgressResponse& all() const { return all_; }
  int64_t dropped() const { return dropped_; }

 private:
  static constexpr int kMostWarnings = 20;

  void WarnOf(const std::string& refusal) {
    if (all_.refusals_size() >= kMostWarnings) return;
    all_.add_refusals(refusal);
    session_.Warn(refusal);
  }
  /// "samples[3].loss: …" as "line 5: loss: …".
  std::string AtLine(const std::string& refusal) const {
    constexpr std::string_view kPrefix = "samples[";
    size_t index = 0;
    if (!refusal.starts_with(kPrefix)) return refusal;
    const auto parsed = std::from_chars(refusal.data() + kPrefix.size(), refusal.data() + refusal.size(), index);
    const auto rest = static_cast<size_t>(parsed.ptr - refusal.data());
    if (parsed.ec != std::errc() || index >= waiting_.size() || refusal.compare(rest, 2, "].") != 0) return refusal;
    return fmt::format("line {}: {}", waiting_[index].second, refusal.substr(rest + 2));
  }

  const std::string run_;
  Session& session_;
  std::deque<std::pair<v1::ProgressSample, int64_t>> waiting_;  ///< With the numbers of their lines.
  v1::ReportProgressResponse all_;
  int64_t dropped_ = 0;
  bool is_away_ = false;
};

/// Reports every line as soon as it is there, those that come together in one call.
absl::StatusOr<ExitCode> ReportLines(const std::string& run, const std::string& path, Session& session) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return absl::InvalidArgumentError(fmt::format("--file: cannot be opened: path=\"{}\"", path));
  }
  std::istream& in = path == "-" ? session.in() : file;
  LineReporter reporter(RunName(run), session);
  ProgressLines lines;
  for (int64_t number = 1;; ++number) {
    absl::StatusOr<std::optional<std::string>> line = NextLine(in);
    if (!line.ok()) return absl::InvalidArgumentError(fmt::format("line {}: {}", number, std::string(line.status().message())));
    if (!line->has_value()) break;
    absl::StatusOr<std::optional<v1::ProgressSample>> sample = lines.Read(**std::move(line));
    if (!sample.ok()) {
      reporter.Refuse(number, std::string(sample.status().message()));
    } else if (sample->has_value()) {
      reporter.Add(**std::move(sample), number);
    }
    if (reporter.is_full() || (reporter.waiting() > 0 && !HasMoreNow(in))) RETURN_IF_ERROR(reporter.Flush(/*is_last=*/false));
  }
  // Also where there was no line: how the run is, is answered all the same.
  if (reporter.waiting() > 0 || !reporter.all().has_run()) RETURN_IF_ERROR(reporter.Flush(/*is_last=*/true));
  if (reporter.dropped() > 0) session.Warn(fmt::format("{} reports were lost while the server was away", reporter.dropped()));
  const v1::ReportProgressResponse& all = reporter.all();
  session.Print(all, [&](std::ostream& out) {
    out << Printable(fmt::format("run/{} {} reported, {} refused: {}", RunShortName(all.run().name()), FormatGrouped(all.accepted_count()),
                                 FormatGrouped(all.refused_count()), ProgressText(all.run())))
        << '\n';
  });
  return all.refused_count() > 0 || reporter.dropped() > 0 ? ExitCode::kFailed : ExitCode::kOk;
}

struct FinishFlags {
  std::string name, state, message, step, time, etag;
};

absl::StatusOr<ExitCode> Finish(const FinishFlags& flags, Session& session) {
  v1::FinishRunRequest request;
  request.set_name(RunName(flags.name));
  RETURN_IF_ERROR(FillFlag("--state", flags.state, OneOf(kEnds), [&](v1::Run::State state) { request.set_state(state); }));
  request.set_message(flags.message);
  request.set_etag(flags.etag);
  RETURN_IF_ERROR(FillFlag("--step", flags.step, ParseInteger, [&](int64_t step) { request.mutable_last()->set_step(step); }));
  RETURN_IF_ERROR(
      FillFlag("--time", flags.time, ParseTime, [&](absl::Time time) { SetTime(time, *request.mutable_last()->mutable_time()); }));
  if (request.has_last() && !request.last().has_step()) return absl::InvalidArgumentError("--time: needs --step, where it was by then");
  ASSIGN_OR_RETURN(const v1::Run run, session.Call(&Stub::FinishRun, request));
  session.Print(run, [&](std::ostream& out) {
    out << Printable(fmt::format("run/{} {}: {}", RunShortName(run.name()), StateText(run.state()), ProgressText(run))) << '\n';
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Get(const std::string& name, Session& session) {
  v1::GetRunRequest request;
  request.set_name(RunName(name));
  ASSIGN_OR_RETURN(const v1::Run run, session.Call(&Stub::GetRun, request));
  session.Print(run, [&](std::ostream& out) { PrintRun(run, session.style(), out); });
  return ExitCode::kOk;
}

struct ListFlags {
  std::string state, plan;
};

absl::StatusOr<ExitCode> List(const ListFlags& flags, Session& session) {
  v1::ListRunsRequest request;
  RETURN_IF_ERROR(FillFlag("--state", flags.state, OneOf(kStates), [&](v1::Run::State state) { request.set_state(state); }));
  if (!flags.plan.empty()) request.set_plan(PlanName(flags.plan));
  ASSIGN_OR_RETURN(const v1::ListRunsResponse list, session.CallAllPages(&Stub::ListRuns, request));
  session.Print(list, [&](std::ostream& out) { PrintRuns(list, session.style(), out); });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(const std::vector<std::string>& names, Session& session) {
  const absl::StatusOr<ExitCode> outcome = session.ForEach(names, [&](const std::string& name) {
    v1::DeleteRunRequest request;
    request.set_name(RunName(name));
    RETURN_IF_ERROR(session.Call(&Stub::DeleteRun, request).status());
    if (session.format() == OutputFormat::kTable) session.out() << Printable(fmt::format("run/{} deleted", RunShortName(name))) << '\n';
    return absl::OkStatus();
  });
  // One document, however many names.
  if (outcome.ok()) session.Print(google::protobuf::Empty(), [](std::ostream&) {});
  return outcome;
}

void AddStart(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<StartFlags>();
  CLI::App& command = *noun.add_subcommand("start", "Begin a run of a plan");
  command.add_option("plan", flags->plan, "Name of the plan")->required();
  AddFlag(command, "--description", flags->description, "Free text that is kept with it: the job's name or number", "TEXT");
  AddFlag(command, "--start-time", flags->start_time, "When it began [now]", "TIME");
  AddFlag(command, "--request-id", flags->request_id, "The same id again gives the same run, not a second one", "ID");
  command.add_flag("--dry-run", flags->dry_run, "Check, and store nothing");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Start(*flags, session); }; });
}

void AddReport(CLI::App& noun, Action& chosen) {
  struct Flags {
    std::string name, file;
    SampleFlags sample;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& command = *noun.add_subcommand("report", "Say where a run is: once, or line by line of a file or pipe");
  command.add_option("name", flags->name, "Name of the run")->required();
  AddFlag(command, "--step", flags->sample.step, "Optimizer steps that are done", "N");
  AddFlag(command, "--time", flags->sample.time, "When it was there [now]", "TIME");
  AddFlag(command, "--tokens", flags->sample.tokens, "Tokens (samples) that are done [steps × those of a step]", "N");
  AddFlag(command, "--tokens-per-second", flags->sample.tokens_per_second, "Of all GPUs", "R");
  AddFlag(command, "--loss", flags->sample.loss, "Of the training", "X");
  AddFlag(command, "--gpu-utilization", flags->sample.gpu_utilization, "Mean over the GPUs: 0.9, 90%", "R");
  AddFlag(command, "--file,-f", flags->file,
          "Lines of JSON ({\"step\": 100, \"time\": \"…\", \"loss\": 2.5}) or CSV (first line: step,time,tokens,tokens_per_second,loss,gpu_utilization; "
          "times are RFC 3339 or seconds since 1970, other columns are left out); \"-\" is standard input, reported as it comes",
          "FILE");
  command.callback([flags, &chosen] {
    chosen = [flags](Session& session) -> absl::StatusOr<ExitCode> {
      if (flags->file.empty()) return ReportOne(flags->name, flags->sample, session);
      if (flags->sample.any()) return absl::InvalidArgumentError("--file: has the reports: no other of their flags may be given");
      return ReportLines(flags->name, flags->file, session);
    };
  });
}

void AddFinish(CLI::App& noun, Action& chosen) {
  const auto flags = std::make_shared<FinishFlags>();
  CLI::App& command = *noun.add_subcommand("finish", "End a run: what its plan still holds is released");
  command.add_option("name", flags->name, "Name of the run")->required();
  AddFlag(command, "--state", flags->state, "succeeded, failed or cancelled [succeeded]", "STATE");
  AddFlag(command, "--message", flags->message, "How it ended, or why", "TEXT");
  AddFlag(command, "--step", flags->step, "Optimizer steps that it has done [as last reported]", "N");
  AddFlag(command, "--time", flags->time, "When it ended, with --step [now]", "TIME");
  AddFlag(command, "--etag", flags->etag, "Only if it is still the run's", "ETAG");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Finish(*flags, session); }; });
}

}  // namespace

void AddRunCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = *root.add_subcommand("run", "Trainings beside their plans")->require_subcommand(1);
  AddStart(noun, chosen);
  AddReport(noun, chosen);
  AddFinish(noun, chosen);

  const auto name = std::make_shared<std::string>();
  CLI::App& get = *noun.add_subcommand("get", "One run, planned beside actual");
  get.add_option("name", *name, "Name of the run")->required();
  get.callback([name, &chosen] { chosen = [name](Session& session) { return Get(*name, session); }; });

  const auto list_flags = std::make_shared<ListFlags>();
  CLI::App& list = *noun.add_subcommand("list", "All runs, newest first");
  AddFlag(list, "--state", list_flags->state, "Only these: running, succeeded, failed or cancelled", "STATE");
  AddFlag(list, "--plan", list_flags->plan, "Only of this plan", "PLAN");
  list.callback([list_flags, &chosen] { chosen = [list_flags](Session& session) { return List(*list_flags, session); }; });

  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App& remove = *noun.add_subcommand("delete", "Delete runs that have ended; what was learned from them is forgotten");
  remove.add_option("name", *names, "Names of the runs")->required();
  remove.callback([names, &chosen] { chosen = [names](Session& session) { return Delete(*names, session); }; });
}

}  // namespace planner::plannerctl
