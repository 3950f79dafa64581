#include "core/counting/cached_counter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace planner::counting {
namespace {

/// How often one that waits for another's count looks whether anybody still waits for it.
constexpr absl::Duration kLook = absl::Milliseconds(50);

/// What follows from the request alone, so that whoever waits for the same count gets the same error. The others (late, down,
/// busy) may be different for the next who tries.
bool IsOfTheModel(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

/// Texts of the caller's stand with their length, so that no two requests have the same key.
void AppendText(std::string& key, const std::string& text) { absl::StrAppend(&key, text.size(), ":", text, ";"); }

std::string KeyOf(const CountRequest& request, const CounterInfo& counter) {
  std::string key = request.model.source->file.sha256;
  AppendText(key, counter.name);
  AppendText(key, counter.version);
  absl::StrAppend(&key, request.mode == Mode::kTraining ? "training" : "inference", ";", request.activation_element_bytes, ";",
                  request.batch.batch, ";");
  if (request.batch.seq_len) absl::StrAppend(&key, *request.batch.seq_len);
  for (const model::TensorInput& input : request.batch.inputs) {
    key += ";";
    for (const int64_t size : input.sizes) absl::StrAppend(&key, size, "x");
    AppendText(key, input.dtype);
    AppendText(key, input.name);
  }
  return key;
}

int64_t BytesOf(const CostReport& report) {
  size_t bytes = sizeof(report);
  for (const ModuleCost& module : report.modules) bytes += sizeof(module) + module.path.capacity() + module.kind.capacity();
  for (const OperatorCost& one : report.operators) bytes += sizeof(one) + one.kind.capacity();
  for (const UncountedOperator& one : report.uncounted_operators) bytes += sizeof(one) + one.kind.capacity();
  for (const std::string& warning : report.warnings) bytes += sizeof(warning) + warning.capacity();
  return static_cast<int64_t>(bytes);
}

CostReport Answer(const CostReport& report, bool with_modules, bool cached) {
  CostReport answer = report;
  if (!with_modules) answer.modules.clear();
  answer.cached = cached;
  return answer;
}

}  // namespace

CachedCounter::CachedCounter(const Counter& counter, const base::Clock& clock, int64_t max_bytes)
    : counter_(counter), clock_(clock), max_bytes_(max_bytes) {}

std::shared_ptr<const CostReport> CachedCounter::Remembered(const std::string& key) const {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->report;
}

void CachedCounter::Remember(const std::string& key, std::shared_ptr<const CostReport> report) const {
  const int64_t bytes = BytesOf(*report) + static_cast<int64_t>(2 * key.size());
  if (bytes > max_bytes_ || index_.contains(key)) return;
  entries_.push_front({key, std::move(report), bytes});
  index_[key] = entries_.begin();
  bytes_ += bytes;
  while (bytes_ > max_bytes_) {
    bytes_ -= entries_.back().bytes;
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

absl::StatusOr<std::shared_ptr<const CostReport>> CachedCounter::CountFor(const std::string& key,
                                                                          const std::shared_ptr<Running>& running,
                                                                          const CountRequest& request) const {
  absl::StatusOr<std::shared_ptr<const CostReport>> result = absl::InternalError("the counter threw an exception");
  /// Also where the counter throws: those who wait must not wait for ever.
  struct Finish {
    const CachedCounter& cache;
    const std::string& key;
    Running& running;
    absl::StatusOr<std::shared_ptr<const CostReport>>& result;
    ~Finish() {
      {
        base::MutexLock lock(cache.mutex_);
        if (result.ok()) cache.Remember(key, *result);
        running.result = result;
        running.done = true;
        cache.running_.erase(key);
      }
      cache.finished_.WakeAll();
    }
  } finish{*this, key, *running, result};
  // With the modules: whoever asks without them gets the same count.
  CountRequest whole = request;
  whole.with_modules = true;
  if (request.cancelled) {
    whole.cancelled = [&] { return running->waiting == 0 && request.cancelled(); };
  }
  absl::StatusOr<CostReport> report = counter_.Count(whole);
  if (report.ok()) {
    result = std::make_shared<const CostReport>(*std::move(report));
  } else {
    result = report.status();
  }
  return result;
}

absl::Status CachedCounter::Await(const Running& other, const CountRequest& request) const {
  while (!other.done) {
    const absl::Duration rest = request.deadline - clock_.Now();
    if (rest <= absl::ZeroDuration())
      return absl::DeadlineExceededError("another count of the same model is not finished yet");
    if (base::IsCancelled(request.cancelled)) return absl::CancelledError("nobody waits for the count any more");
    finished_.WaitFor(mutex_, request.cancelled ? std::min(rest, kLook) : rest);
  }
  return absl::OkStatus();
}

absl::StatusOr<CostReport> CachedCounter::Count(const CountRequest& request) const {
  if (request.model.source == nullptr || request.model.source->format != model::SourceFormat::kTorchScript) {
    return counter_.Count(request);
  }
  const std::string key = KeyOf(request, counter_.Info());
  std::shared_ptr<Running> running;
  {
    base::MutexLock lock(mutex_);
    while (running == nullptr) {
      if (const auto report = Remembered(key)) return Answer(*report, request.with_modules, /*cached=*/true);
      std::shared_ptr<Running>& first = running_[key];
      if (first == nullptr) {
        running = first = std::make_shared<Running>();
        break;
      }
      const std::shared_ptr<Running> other = first;
      ++other->waiting;
      const absl::Status waited = Await(*other, request);
      --other->waiting;
      RETURN_IF_ERROR(waited);
      if (other->result.ok()) return Answer(**other->result, request.with_modules, /*cached=*/true);
      if (IsOfTheModel(other->result.status())) return other->result.status();
    }
  }
  absl::StatusOr<std::shared_ptr<const CostReport>> counted = CountFor(key, running, request);
  if (!counted.ok()) return counted.status();
  return Answer(**counted, request.with_modules, /*cached=*/false);
}

}  // namespace planner::counting
