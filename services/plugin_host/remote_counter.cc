#include "services/plugin_host/remote_counter.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "services/plugin_host/count_messages.h"
#include "services/plugin_host/plugin_channel.h"
#include "services/telemetry/log.h"

namespace planner::plugin_host {
namespace {

/// How often a waiting thread looks at the injected clock, which nobody wakes it for.
constexpr absl::Duration kLook = absl::Milliseconds(20);
constexpr size_t kChunkBytes = size_t{512} << 10;

absl::Status Typed(absl::StatusCode code, const std::string& message, const char* reason) {
  return base::WithReason(absl::Status(code, message), reason);
}

absl::StatusCode CodeOf(const grpc::Status& status) { return static_cast<absl::StatusCode>(status.error_code()); }

absl::Status Cancelled() { return absl::CancelledError("nobody waits for the count any more"); }

absl::Status Late() { return absl::DeadlineExceededError("the deadline passed before the model was counted"); }

std::chrono::system_clock::time_point RealTime(absl::Duration from_now) {
  return absl::ToChronoTime(base::Clock::Real().Now() + from_now);
}

}  // namespace

RemoteCounter::RemoteCounter(PluginSpec spec, HostOptions options, const base::Clock& clock, telemetry::Log* log)
    : spec_(std::move(spec)),
      options_(options),
      clock_(clock),
      log_(log),
      history_(spec_.program.empty() ? 0 : options.crashes_to_stay_down, options.crash_window) {}

RemoteCounter::~RemoteCounter() {
  std::thread supervisor;
  std::unique_ptr<PluginProcess> process;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    // A plugin that is not up yet has nothing to tidy up, and need not be waited for.
    if (process_ != nullptr && session_ == nullptr) process_->Kill();
    if (starting_ != nullptr) starting_->TryCancel();
    for (const std::shared_ptr<Call>& call : calls_) call->context.TryCancel();
    supervisor = std::move(supervisor_);
    changed_.WakeAll();
  }
  if (supervisor.joinable()) supervisor.join();
  std::thread answers;
  {
    base::MutexLock lock(mutex_);
    while (!calls_.empty()) changed_.Wait(mutex_);
    process = std::move(process_);
    session_.reset();
    answers = std::move(answers_);
  }
  queue_.Shutdown();
  if (answers.joinable()) answers.join();
  void* tag = nullptr;
  for (bool ok = false; queue_.Next(&tag, &ok);) {
  }
}

counting::CounterInfo RemoteCounter::Info() const {
  base::MutexLock lock(mutex_);
  counting::CounterInfo info{.name = spec_.name, .known = known_};
  if (known_) {
    info.version = info_.version();
    info.description = info_.description();
    info.counts_backward = info_.counts_backward();
    info.formats = FormatsOf(info_);
  }
  const absl::Time now = clock_.Now();
  if (!refusal_.empty() || history_.Down(now)) {
    info.up = false;
    info.detail = DownText();
  } else if (session_ == nullptr) {
    info.detail = last_failure_.empty() ? "not started yet" : "is started again: " + last_failure_;
  } else if (info_.missing_measures_size() > 0) {
    info.detail = fmt::format("runs without: {}", fmt::join(info_.missing_measures(), "; "));
  }
  return info;
}

std::string RemoteCounter::DownText() const {
  if (!refusal_.empty()) return refusal_;
  return fmt::format("stays down: it ended {} times within {}; the last time: {}", history_.Count(clock_.Now()),
                     absl::FormatDuration(options_.crash_window), last_failure_);
}

absl::Status RemoteCounter::WhyDown() const {
  return Typed(absl::StatusCode::kUnavailable, fmt::format("the counter {} is down: {}", spec_.name, DownText()), "COUNTER_DOWN");
}

pid_t RemoteCounter::pid() const {
  base::MutexLock lock(mutex_);
  return process_ != nullptr && process_->running() ? process_->pid() : -1;
}

int64_t RemoteCounter::start_count() const {
  base::MutexLock lock(mutex_);
  return starts_;
}

void RemoteCounter::Wake() const {
  wanted_ = true;
  if (!supervisor_.joinable()) supervisor_ = std::thread([this] { Supervise(); });
  if (!answers_.joinable()) answers_ = std::thread([this] { TakeAnswers(); });
  changed_.WakeAll();
}

void RemoteCounter::WaitUntil(absl::Time time) const {
  changed_.WaitFor(mutex_, std::clamp(time - clock_.Now(), absl::Milliseconds(1), kLook));
}

void RemoteCounter::LogEvent(bool warning, const char* event, std::string message) const {
  if (log_ == nullptr) return;
  log_->Write(warning ? telemetry::Level::kWarning : telemetry::Level::kInfo,
              {{"event", event}, {"counter", spec_.name}, {"message", std::move(message)}});
}

void RemoteCounter::NoteFailure(const std::string& what) const {
  const absl::Time now = clock_.Now();
  history_.Add(now);
  last_failure_ = what;
  ended_generation_ = generation_;
  LogEvent(/*warning=*/true, history_.Down(now) ? "plugin_stays_down" : "plugin_ended", what);
  changed_.WakeAll();
}

/// Ends what is left of a session that has broken, and remembers why.
void RemoteCounter::EndSession() const {
  std::string why = std::exchange(broken_, "");
  session_.reset();
  if (std::unique_ptr<PluginProcess> process = std::move(process_)) {
    mutex_.Unlock();
    process->Kill();
    const std::string ending = process->AwaitEnd();
    process.reset();
    mutex_.Lock();
    why = why.empty() ? ending : fmt::format("{}: {}", why, ending);
  }
  broken_.clear();  // The end that we brought about.
  NoteFailure(why);
}

void RemoteCounter::Supervise() const {
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    const absl::Time now = clock_.Now();
    if (session_ != nullptr && !broken_.empty()) {
      EndSession();
    } else if (session_ == nullptr && wanted_ && refusal_.empty() && !history_.Down(now) && history_.NextStart(now) <= now) {
      const int64_t generation = ++generation_;
      broken_.clear();
      mutex_.Unlock();
      absl::StatusOr<std::shared_ptr<const Session>> session = Connect(generation);
      mutex_.Lock();
      if (stopping_) break;
      if (session.ok()) {
        session_ = *std::move(session);
        info_ = session_->info;
        known_ = true;
        ++starts_;
        LogEvent(/*warning=*/false, "plugin_up", fmt::format("version={}", info_.version()));
        changed_.WakeAll();
        continue;
      }
      broken_ = std::string(session.status().message());
      EndSession();
      if (absl::IsPermissionDenied(session.status())) refusal_ = std::string(session.status().message());
      ++start_failures_;  // Whoever waits reads why, so not before that is written.
    } else if (session_ == nullptr && wanted_ && refusal_.empty() && !history_.Down(now)) {
      WaitUntil(history_.NextStart(now));
    } else {
      if (session_ == nullptr) wanted_ = false;  // Down: the next count asks again.
      changed_.Wait(mutex_);
    }
  }
}

void RemoteCounter::TakeAnswers() const {
  void* tag = nullptr;
  for (bool ok = false; queue_.Next(&tag, &ok);) {
    std::shared_ptr<Call> call;
    {
      base::MutexLock lock(mutex_);
      const auto found = std::find_if(calls_.begin(), calls_.end(), [tag](const auto& one) { return one.get() == tag; });
      if (found != calls_.end()) call = *found;
    }
    if (call != nullptr) Finished(call);
  }
}

void RemoteCounter::SetContext(grpc::ClientContext* context) const {
  base::MutexLock lock(mutex_);
  starting_ = context;
  if (context != nullptr && stopping_) context->TryCancel();
}

absl::StatusOr<std::shared_ptr<const RemoteCounter::Session>> RemoteCounter::Connect(int64_t generation) const {
  auto session = std::make_shared<Session>();
  session->generation = generation;
  std::string target = "dns:///" + spec_.address;
  if (!spec_.program.empty()) {
    const auto on_line = [this](std::string line) { LogEvent(/*warning=*/false, "plugin_output", std::move(line)); };
    const auto on_exit = [this, generation] {
      base::MutexLock lock(mutex_);
      if (generation_ == generation && broken_.empty()) broken_ = "it ended";
      changed_.WakeAll();
    };
    ASSIGN_OR_RETURN(std::unique_ptr<PluginProcess> started, PluginProcess::Spawn(spec_, on_line, on_exit));
    started->set_patience(options_.stop_patience);
    PluginProcess* process = started.get();
    {
      base::MutexLock lock(mutex_);
      process_ = std::move(started);
      if (stopping_) process->Kill();
    }
    ASSIGN_OR_RETURN(target, process->AwaitHandshake(options_.start_timeout));
  }
  ASSIGN_OR_RETURN(session->channel, ConnectPlugin(target, spec_, options_));
  session->stub = plugin::v1::CounterPlugin::NewStub(session->channel);
  grpc::ClientContext health_context;
  health_context.set_deadline(RealTime(options_.start_timeout));
  SetContext(&health_context);
  const absl::Status health = CheckHealth(*session->channel, health_context);
  SetContext(nullptr);
  RETURN_IF_ERROR(health);
  grpc::ClientContext info_context;
  info_context.set_deadline(RealTime(options_.start_timeout));
  SetContext(&info_context);
  const grpc::Status status = session->stub->GetInfo(&info_context, plugin::v1::GetInfoRequest(), &session->info);
  SetContext(nullptr);
  if (!status.ok()) return absl::FailedPreconditionError("it does not say what it is: " + status.error_message());
  if (spec_.require_all_measures && session->info.missing_measures_size() > 0) {
    return absl::PermissionDeniedError(
        fmt::format("require_all_measures is set, and it would run without: {}", fmt::join(session->info.missing_measures(), "; ")));
  }
  return session;
}

void RemoteCounter::Learn(absl::Time deadline) const {
  base::MutexLock lock(mutex_);
  if (known_) return;
  Wake();
  const int64_t failures = start_failures_;
  while (!known_ && start_failures_ == failures && refusal_.empty() && !history_.Down(clock_.Now()) && clock_.Now() < deadline) {
    WaitUntil(deadline);
  }
}

absl::StatusOr<std::shared_ptr<const RemoteCounter::Session>> RemoteCounter::TakeTurn(const counting::CountRequest& request) const {
  base::MutexLock lock(mutex_);
  Wake();
  const int64_t failures = start_failures_;
  const model::SourceFormat format = request.model.source->format;
  while (true) {
    if (known_) {
      const std::vector<model::SourceFormat> formats = FormatsOf(info_);
      if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
        return absl::UnimplementedError(fmt::format("the counter {} does not take such models; see ListCounters", spec_.name));
      }
    }
    if (session_ != nullptr && broken_.empty() && turns_ < std::max(info_.max_concurrent_counts(), 1)) {
      ++turns_;
      return session_;
    }
    if (!refusal_.empty() || history_.Down(clock_.Now())) return WhyDown();
    if (start_failures_ != failures) {
      return Typed(absl::StatusCode::kUnavailable, fmt::format("the counter {} cannot be started: {}", spec_.name, last_failure_),
                   "COUNTER_CANNOT_START");
    }
    if (clock_.Now() >= request.deadline) {
      return Typed(absl::StatusCode::kDeadlineExceeded,
                   fmt::format("the deadline passed before the counter {} was free: {}", spec_.name,
                               session_ == nullptr ? "it is being started" : "it counts other models"),
                   "COUNTER_BUSY");
    }
    if (base::IsCancelled(request.cancelled)) return Cancelled();
    WaitUntil(request.deadline);
  }
}

void RemoteCounter::Finished(const std::shared_ptr<Call>& call) const {
  base::MutexLock lock(mutex_);
  call->done = true;
  --turns_;
  const bool current = call->session->generation == generation_;
  const bool hung = CodeOf(call->status) == absl::StatusCode::kDeadlineExceeded;
  if (!stopping_ && (hung || CodeOf(call->status) == absl::StatusCode::kUnavailable)) {
    blame_.Add(call->digest);
    if (current && broken_.empty()) broken_ = hung ? "it did not keep to a count's deadline and was ended" : "it ended while it counted";
  }
  calls_.erase(call);
  changed_.WakeAll();
}

absl::Status RemoteCounter::FailureOf(const Call& call, absl::Time deadline) const {
  switch (CodeOf(call.status)) {
    case absl::StatusCode::kDeadlineExceeded:
      return Late();
    case absl::StatusCode::kUnavailable: {
      // How it ended is known in a moment.
      while (ended_generation_ < call.session->generation && !stopping_ && clock_.Now() < deadline) WaitUntil(deadline);
      return Typed(absl::StatusCode::kInternal, fmt::format("the counter {} failed on this model: {}", spec_.name, last_failure_),
                   "PLUGIN_CRASHED");
    }
    case absl::StatusCode::kResourceExhausted:
      return Typed(absl::StatusCode::kInternal, fmt::format("the counter {}: its answer is too large, or it is: {}", spec_.name,
                                                            call.status.error_message()),
                   "PLUGIN_ANSWER_TOO_LARGE");
    default:
      return Typed(absl::StatusCode::kInternal, fmt::format("the counter {} failed: {}", spec_.name, call.status.error_message()),
                   "PLUGIN_FAILED");
  }
}

absl::StatusOr<plugin::v1::CountResponse> RemoteCounter::Ask(const counting::CountRequest& request, const std::string& digest) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Session> session, TakeTurn(request));
  auto call = std::make_shared<Call>();
  call->session = session;
  call->digest = digest;
  absl::StatusOr<plugin::v1::CountRequest> proto = ToPlugin(request, session->info.reads_local_files());
  const absl::Duration left = request.deadline - clock_.Now();
  if (!proto.ok() || left <= absl::ZeroDuration()) {
    base::MutexLock lock(mutex_);
    --turns_;
    changed_.WakeAll();
    return proto.ok() ? Late() : proto.status();
  }
  call->request = *std::move(proto);
  if (left < absl::InfiniteDuration()) {
    call->request.set_time_limit_milliseconds(std::max<int64_t>(1, absl::ToInt64Milliseconds(left)));
    call->context.set_deadline(RealTime(left + options_.grace));
  }
  {
    base::MutexLock lock(mutex_);
    calls_.insert(call);
  }
  call->reader = session->stub->AsyncCount(&call->context, call->request, &queue_);
  call->reader->Finish(&call->response, &call->status, call.get());
  base::MutexLock lock(mutex_);
  while (!call->done) {
    if (clock_.Now() >= request.deadline) return Late();
    if (base::IsCancelled(request.cancelled)) {
      // One that would count on is left to its deadline: until then its place is taken, and it is known to hang or not. So is one
      // whose deadline is near, which is mostly why its client has gone.
      const bool early = clock_.Now() + options_.grace < request.deadline;
      if (early && session->info.ends_cancelled_counts()) call->context.TryCancel();
      return Cancelled();
    }
    WaitUntil(request.deadline);
  }
  if (!call->status.ok()) return FailureOf(*call, request.deadline);
  return std::move(call->response);
}

absl::Status RemoteCounter::SendFile(const counting::CountRequest& request) const {
  std::shared_ptr<const Session> session;
  {
    base::MutexLock lock(mutex_);
    session = session_;
  }
  if (session == nullptr) return Typed(absl::StatusCode::kUnavailable, "the counter ended before it had the model file", "COUNTER_RESTARTING");
  const model::ModelFile& file = request.model.source->file;
  std::ifstream stream(file.path, std::ios::binary);
  if (!stream) return absl::InternalError("the model file cannot be read");
  grpc::ClientContext context;
  const absl::Duration left = request.deadline - clock_.Now();
  if (left < absl::InfiniteDuration()) context.set_deadline(RealTime(left));
  plugin::v1::PutModelFileResponse response;
  const auto writer = session->stub->PutModelFile(&context, &response);
  plugin::v1::ModelFileChunk chunk;
  chunk.mutable_file()->set_sha256(file.sha256);
  chunk.mutable_file()->set_size_bytes(file.size_bytes);
  bool more = true;
  while (more) {
    std::string& data = *chunk.mutable_data();
    data.resize(kChunkBytes);
    stream.read(data.data(), static_cast<std::streamsize>(data.size()));
    data.resize(static_cast<size_t>(stream.gcount()));
    if (base::IsCancelled(request.cancelled)) {
      context.TryCancel();
      writer->Finish();
      return Cancelled();
    }
    more = stream.good() && writer->Write(chunk);
    if (!more && stream.eof()) writer->Write(chunk);
    chunk.clear_file();
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (status.ok()) return absl::OkStatus();
  if (CodeOf(status) == absl::StatusCode::kDeadlineExceeded) return Late();
  return Typed(absl::StatusCode::kInternal, fmt::format("the counter {} does not take the model file: {}", spec_.name, status.error_message()),
               "PLUGIN_FAILED");
}

absl::StatusOr<counting::CostReport> RemoteCounter::Count(const counting::CountRequest& request) const {
  if (request.model.source == nullptr) {
    return absl::UnimplementedError(fmt::format("the counter {} needs a model's source; see ListCounters", spec_.name));
  }
  if (clock_.Now() >= request.deadline) return Late();
  const std::string digest = DigestOf(*request.model.source);
  {
    base::MutexLock lock(mutex_);
    if (blame_.Of(digest) >= options_.crashes_to_refuse_model) {
      return Typed(absl::StatusCode::kFailedPrecondition,
                   fmt::format("this model has ended the counter {} {} times and is refused: sha256={}", spec_.name, blame_.Of(digest), digest),
                   "MODEL_CRASHES_COUNTER");
    }
  }
  ASSIGN_OR_RETURN(plugin::v1::CountResponse response, Ask(request, digest));
  if (response.error().reason() == "MODEL_FILE_NEEDED" && request.model.source->format == model::SourceFormat::kTorchScript) {
    RETURN_IF_ERROR(SendFile(request));
    ASSIGN_OR_RETURN(response, Ask(request, digest));
  }
  if (response.has_error()) return FromPlugin(response.error());
  if (!response.has_count()) return Typed(absl::StatusCode::kInternal, "the plugin's answer is empty", "PLUGIN_LIES");
  ASSIGN_OR_RETURN(counting::CostReport report, FromPlugin(response.count(), request));
  report.counter = spec_.name;
  report.counter_version = Info().version;
  return report;
}

}  // namespace planner::plugin_host
