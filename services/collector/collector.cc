#include "services/collector/collector.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/time.h"

namespace planner::collector {
namespace {

/// Of one message to Utilization, which takes them under its lock.
constexpr int kSamplesOfAMessage = 500;

/// Percent-encoded, as a part of a query string.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", byte);
    }
  }
  return escaped;
}

std::string UrlOf(const Source& source, const Query& query, absl::Time at) {
  constexpr double kMillisecondsPerSecond = 1000;
  return fmt::format("{}?query={}&time={:.3f}", source.url, Escaped(query.promql),
                     static_cast<double>(absl::ToUnixMillis(at)) / kMillisecondsPerSecond);
}

/// The request of a round's questions, but for the URL.
absl::StatusOr<HttpRequest> RequestOf(const Source& source) {
  HttpRequest request = source.request;
  if (!source.bearer_token_file.empty()) {
    ASSIGN_OR_RETURN(request.bearer_token, ReadSecret(source.bearer_token_file));
  }
  if (!source.password_file.empty()) {
    ASSIGN_OR_RETURN(request.password, ReadSecret(source.password_file));
  }
  return request;
}

/// How an answer ended that is none to be read; kOk: it is to be.
Outcome OutcomeOf(const HttpAnswer& answer) {
  constexpr int kHttpOk = 200;
  switch (answer.outcome) {
    case HttpAnswer::Outcome::kAnswered:
      return answer.status == kHttpOk ? Outcome::kOk : Outcome::kRefused;
    case HttpAnswer::Outcome::kTimeout:
      return Outcome::kTimeout;
    case HttpAnswer::Outcome::kTooLarge:
      return Outcome::kTooLarge;
    default:
      return Outcome::kUnreachable;
  }
}

void Set(utilization::Metric metric, double value, v1::UtilizationSample& sample) {
  switch (metric) {
    case utilization::kBusy:
      return sample.set_busy_ratio(value);
    case utilization::kTensorActive:
      return sample.set_tensor_active_ratio(value);
    case utilization::kMemoryActive:
      return sample.set_memory_active_ratio(value);
    case utilization::kMemoryUsedBytes:
      return sample.set_memory_used_bytes(static_cast<int64_t>(value));
    case utilization::kPowerWatts:
      return sample.set_power_watts(value);
    default:
      return;
  }
}

}  // namespace

struct Collector::Round {
  absl::Time now;
  std::map<std::tuple<std::string, int, absl::Time>, v1::UtilizationSample> samples;
  std::string trouble;  ///< The first one.
  std::string kind;     ///< The same without times and numbers, which change with every round.
  bool has_any = false;

  void Note(const Query& query, Outcome outcome, const std::string& text) {
    has_any = has_any || outcome == Outcome::kOk;
    if (trouble.empty() && !text.empty()) {
      kind = fmt::format("{}: {}", query.promql, NameOf(outcome));
      trouble = outcome == Outcome::kOk ? fmt::format("{}: {}", query.promql, text)
                                        : fmt::format("{}: {}: {}", query.promql, NameOf(outcome), text);
    }
  }
};

Collector::Collector(std::vector<Source> sources, utilization::Utilization& utilization, const base::Clock& clock, telemetry::Log* log)
    : utilization_(utilization), clock_(clock), log_(log) {
  for (Source& source : sources) jobs_.push_back(std::make_unique<Job>(std::move(source)));
}

Collector::~Collector() { Stop(); }

void Collector::Start(HttpClient& http) {
  base::MutexLock lock(mutex_);
  if (jobs_.empty() || is_ending_ || thread_.joinable()) return;
  http_ = &http;
  thread_ = std::thread([this, &http] { Work(http); });
}

void Collector::Stop() {
  std::thread thread;
  {
    base::MutexLock lock(mutex_);
    is_ending_ = true;
    if (http_ != nullptr) http_->Cancel();
    http_ = nullptr;
    thread.swap(thread_);
  }
  ending_.WakeAll();
  if (thread.joinable()) thread.join();
}

Collector::Counts Collector::CountsOf(size_t source) const {
  Counts counts = {};
  std::copy(jobs_[source]->counts.begin(), jobs_[source]->counts.end(), counts.begin());
  return counts;
}

void Collector::Work(HttpClient& http) {
  while (true) {
    const auto next = std::min_element(jobs_.begin(), jobs_.end(), [](const auto& a, const auto& b) { return a->due < b->due; });
    Job& job = **next;
    {
      base::MutexLock lock(mutex_);
      while (!is_ending_ && clock_.Now() < job.due) ending_.WaitFor(mutex_, job.due - clock_.Now());
      if (is_ending_) return;
    }
    job.due = clock_.Now() + job.source.interval;
    Collect(static_cast<size_t>(next - jobs_.begin()), http);
  }
}

void Collector::Collect(size_t source, HttpClient& http) {
  Job& job = *jobs_[source];
  const auto nodes = utilization_.Nodes(job.source.cluster);
  if (!nodes.ok()) return Tell(job, "cluster", std::string(nodes.status().message()), /*brought_nothing=*/true);
  const absl::StatusOr<HttpRequest> request = RequestOf(job.source);
  if (!request.ok()) {
    job.counts[static_cast<size_t>(Outcome::kUnreachable)] += 1;
    return Tell(job, "secret", std::string(request.status().message()), /*brought_nothing=*/true);
  }
  Round round{.now = clock_.Now()};
  for (const Query& query : job.source.queries) {
    if (!Ask(job, query, *request, **nodes, http, round)) break;
  }
  if (is_ending_) return;
  HandOn(job, round);
  Tell(job, round.kind, round.trouble, !round.has_any);
}

bool Collector::Ask(Job& job, const Query& query, const HttpRequest& request, const utilization::NodeIndex& nodes, HttpClient& http,
                    Round& round) {
  HttpRequest question = request;
  question.url = UrlOf(job.source, query, round.now);
  HttpAnswer answer = http.Get(question);
  if (answer.outcome == HttpAnswer::Outcome::kCancelled || is_ending_) return false;
  const auto end = [&](Outcome outcome, const std::string& trouble) {
    job.counts[static_cast<size_t>(outcome)] += 1;
    round.Note(query, outcome, trouble);
  };
  if (const Outcome outcome = OutcomeOf(answer); outcome != Outcome::kOk) {
    end(outcome, answer.outcome == HttpAnswer::Outcome::kAnswered ? fmt::format("HTTP status {}", answer.status) : answer.trouble);
    return outcome == Outcome::kRefused;
  }
  std::vector<std::string> labels = job.source.node_labels;
  labels.insert(labels.end(), job.source.gpu_labels.begin(), job.source.gpu_labels.end());
  const absl::StatusOr<std::vector<Series>> series = ParseAnswer(answer.body, labels);
  std::string().swap(answer.body);
  if (!series.ok()) {
    end(absl::IsFailedPrecondition(series.status()) ? Outcome::kRefused : Outcome::kMalformed, std::string(series.status().message()));
    return absl::IsFailedPrecondition(series.status());
  }
  const auto gpus = job.names.Find(*series, [&](const std::string& name) -> std::optional<int> {
    const utilization::NodeIndex::Pool* pool = nodes.Find(name);
    return pool == nullptr ? std::nullopt : std::optional(pool->gpus_per_node);
  });
  // What has been scraped since the question began is not of the future.
  Readings readings = Judge(query, *series, gpus, job.source.max_sample_age, clock_.Now());
  end(readings.outcome, readings.trouble);
  Take(query, std::move(readings.values), round);
  return true;
}

void Collector::Take(const Query& query, std::vector<Reading> readings, Round& round) {
  for (Reading& reading : readings) {
    v1::UtilizationSample& sample = round.samples[{reading.gpu.node, reading.gpu.number, reading.time}];
    if (sample.node().empty()) {
      sample.set_node(std::move(reading.gpu.node));
      sample.set_gpu(reading.gpu.number);
      *sample.mutable_time() = convert::TimeToProto(reading.time);
    }
    Set(query.metric, reading.value, sample);
  }
}

void Collector::HandOn(Job& job, Round& round) {
  v1::ReportUtilizationRequest message;
  v1::ReportUtilizationResponse tally;
  absl::Status status;
  const auto send = [&] {
    status.Update(utilization_.Report(job.source.cluster, message, /*message_number=*/1, tally));
    message.clear_samples();
  };
  for (auto& [key, sample] : round.samples) {
    const auto& [node, number, time] = key;
    // What Prometheus has scraped no newer sample of since the last round is there already.
    const auto [known, is_new] = job.taken.try_emplace(fmt::format("{}/{}", node, number), time);
    if (!is_new && time <= known->second) continue;
    known->second = time;
    message.add_samples()->Swap(&sample);
    if (message.samples_size() == kSamplesOfAMessage) send();
    if (is_ending_) return;
  }
  if (!message.samples().empty()) send();
  if (!round.trouble.empty()) return;
  if (!status.ok()) {
    round.kind = "store";
    round.trouble = std::string(status.message());
  } else if (tally.refusals_size() > 0) {
    round.kind = "samples";
    round.trouble = fmt::format("{} samples are refused: {}", tally.refused_count(), tally.refusals(0));
  }
}

void Collector::Tell(Job& job, const std::string& kind, const std::string& trouble, bool brought_nothing) {
  utilization_.NoteTrouble(job.source.cluster, brought_nothing ? trouble : "");
  if (std::exchange(job.last_kind, kind) == kind || log_ == nullptr) return;
  if (trouble.empty()) {
    log_->Write(telemetry::Level::kInfo, {{"event", "utilization_collected"}, {"cluster", job.source.cluster}});
  } else {
    log_->Write(telemetry::Level::kWarning, {{"event", "utilization_trouble"}, {"cluster", job.source.cluster}, {"trouble", trouble}});
  }
}

}  // namespace planner::collector
