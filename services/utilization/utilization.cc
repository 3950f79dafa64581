#include "services/utilization/utilization.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/hash/hash.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/utilization/record_names.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::utilization {
namespace {

constexpr store::Kind kKind = store::Kind::kUtilization;
constexpr int kMostRefusals = 20;
constexpr int kRecordsOfAPage = 1000;
constexpr absl::Duration kUsualSpan = absl::Hours(24);

absl::Status UnknownCluster(std::string_view field, const std::string& cluster) {
  return base::NotFound(field, fmt::format("there is no cluster \"{}\"", cluster), "UNKNOWN_CLUSTER");
}

Sample SampleOf(const v1::UtilizationSample& proto) {
  Sample sample{convert::TimeFromProto(proto.time()), {}};
  if (proto.has_busy_ratio()) sample.values[kBusy] = proto.busy_ratio();
  if (proto.has_tensor_active_ratio()) sample.values[kTensorActive] = proto.tensor_active_ratio();
  if (proto.has_memory_active_ratio()) sample.values[kMemoryActive] = proto.memory_active_ratio();
  if (proto.has_memory_used_bytes()) sample.values[kMemoryUsedBytes] = static_cast<double>(proto.memory_used_bytes());
  if (proto.has_power_watts()) sample.values[kPowerWatts] = proto.power_watts();
  return sample;
}

/// Whether something ran on the GPU, or holds its memory; absent: the sample does not say. A driver and its tools take a few hundred MiB.
std::optional<bool> IsOccupied(const Sample& sample) {
  constexpr double kIdleBytes = 1 << 30;
  const auto above = [&](Metric metric, double limit) { return sample.values[metric].value_or(0) > limit; };
  if (above(kBusy, 0) || above(kTensorActive, 0) || above(kMemoryUsedBytes, kIdleBytes)) return true;
  const auto has = [&](Metric metric) { return sample.values[metric].has_value(); };
  return has(kBusy) || has(kTensorActive) || has(kMemoryUsedBytes) ? std::optional(false) : std::nullopt;
}

v1::UtilizationSummary ToProto(const Summary& summary) {
  v1::UtilizationSummary proto;
  *proto.mutable_start_time() = convert::TimeToProto(summary.start);
  *proto.mutable_duration() = convert::DurationToProto(summary.length);
  proto.set_sample_count(summary.sample_count);
  if (summary.sample_count > 0) *proto.mutable_last_sample_time() = convert::TimeToProto(summary.last_sample_time);
  const auto set = [&](Metric metric, auto setter) {
    if (const std::optional<double> mean = summary.totals[metric].Mean()) (proto.*setter)(*mean);
  };
  set(kBusy, &v1::UtilizationSummary::set_busy_ratio);
  set(kTensorActive, &v1::UtilizationSummary::set_tensor_active_ratio);
  set(kMemoryActive, &v1::UtilizationSummary::set_memory_active_ratio);
  set(kMemoryUsedBytes, &v1::UtilizationSummary::set_memory_used_bytes);
  set(kPowerWatts, &v1::UtilizationSummary::set_power_watts);
  return proto;
}

Summary EmptyOf(const Period& period) { return {.start = period.start, .length = period.length()}; }

/// What is stored, with `more`.
absl::Status Add(const std::string& name, const Summary& more, store::Transaction& transaction) {
  const absl::StatusOr<store::Record> record = transaction.Get(kKind, name);
  if (absl::IsNotFound(record.status())) return transaction.Create(kKind, name, Encode(more), "").status();
  RETURN_IF_ERROR(record.status());
  ASSIGN_OR_RETURN(Summary sum, Decode(record->value));
  sum.Merge(more);
  return transaction.Update(kKind, name, "", Encode(sum)).status();
}

}  // namespace

Utilization::Utilization(store::Store& store, bookings::Bookings& bookings, const base::Clock& clock,
                         UtilizationOptions options)
    : store_(store), bookings_(bookings), clock_(clock), options_(options), seen_(options.most_gpus) {}

Utilization::~Utilization() {
  std::thread thread;
  {
    base::MutexLock lock(mutex_);
    is_ending_ = true;
    thread.swap(thread_);
  }
  changed_.WakeAll();
  ending_.WakeAll();
  if (thread.joinable()) thread.join();
  Flush().IgnoreError();  // Nothing of it was acknowledged.
}

absl::StatusOr<std::shared_ptr<const NodeIndex>> Utilization::NodesOf(const std::string& cluster, absl::Time now) {
  ASSIGN_OR_RETURN(const auto views, bookings_.Current(now));
  const auto view = std::find_if(views->begin(), views->end(), [&](const auto& one) { return one.id == cluster; });
  if (view == views->end()) return UnknownCluster("cluster", cluster);
  {
    base::MutexLock lock(mutex_);
    const auto known = indices_.find(cluster);
    if (known != indices_.end() && known->second.etag == view->etag) return known->second.nodes;
  }
  ASSIGN_OR_RETURN(const store::Record record, store_.Get(store::Kind::kCluster, cluster));
  v1::Cluster proto;
  if (!proto.ParseFromString(record.value)) {
    return absl::DataLossError(fmt::format("clusters/{}: the stored value cannot be read", cluster));
  }
  auto nodes = std::make_shared<const NodeIndex>(proto);
  base::MutexLock lock(mutex_);
  indices_[cluster] = {record.etag, nodes};
  return nodes;
}

absl::Status Utilization::Take(const std::string& cluster, const NodeIndex& nodes, const std::string& field,
                               const v1::UtilizationSample& sample, absl::Time now) {
  RETURN_IF_ERROR(validate::ValidateSample(field, sample, now));
  const NodeIndex::Pool* pool = nodes.Find(sample.node());
  if (pool == nullptr) {
    return base::InvalidField(field + ".node", fmt::format("is no node of the cluster: node=\"{}\"", sample.node()),
                              "UNKNOWN_NODE");
  }
  if (sample.gpu() < 0 || sample.gpu() >= pool->gpus_per_node) {
    return base::InvalidField(field + ".gpu",
                              fmt::format("must be 0 to {}: gpu={}", pool->gpus_per_node - 1, sample.gpu()));
  }
  const Sample taken = SampleOf(sample);
  const uint64_t gpu = absl::Hash<std::tuple<std::string, std::string, int>>()({cluster, sample.node(), sample.gpu()});
  switch (seen_.Take(gpu, taken.time)) {
    case SeenTimes::Answer::kNew:
      break;
    case SeenTimes::Answer::kRepeated:
      return base::InvalidField(field + ".time", "a sample of this GPU and time was taken before", "REPEATED");
    case SeenTimes::Answer::kTooOld:
      return base::InvalidField(
          field + ".time",
          fmt::format("is older than the last {} samples that were taken of this GPU", SeenTimes::kRemembered),
          "TOO_LATE");
  }
  const Period hour{cluster, pool->name, /*is_day=*/false, HourOf(taken.time)};
  waiting_.try_emplace(NameOf(hour), EmptyOf(hour)).first->second.Add(taken);
  Means& means = recent_[{cluster, pool->name}];
  means.newest = std::max(means.newest, taken.time);
  if (taken.values[kBusy].has_value()) means.busy.Add(taken.time, *taken.values[kBusy], now);
  if (taken.values[kTensorActive].has_value()) means.tensor_active.Add(taken.time, *taken.values[kTensorActive], now);
  if (const std::optional<bool> occupied = IsOccupied(taken)) means.gpus.Add(gpu, taken.time, *occupied);
  touched_.insert({cluster, pool->name});
  return absl::OkStatus();
}

absl::Status Utilization::Report(const std::string& cluster, const v1::ReportUtilizationRequest& request,
                                 int64_t message_number, v1::ReportUtilizationResponse& tally) {
  RETURN_IF_ERROR(validate::Between("samples", request.samples_size(), 0, validate::kMaxUtilizationSamples));
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const std::shared_ptr<const NodeIndex> nodes, NodesOf(cluster, now));
  int64_t accepted = 0;
  base::MutexLock lock(mutex_);
  for (int i = 0; i < request.samples_size(); ++i) {
    const absl::Status status = Take(cluster, *nodes, fmt::format("samples[{}]", i), request.samples(i), now);
    if (status.ok()) {
      ++accepted;
    } else if (tally.refusals_size() < kMostRefusals) {
      tally.add_refusals((message_number > 1 ? fmt::format("message {}: ", message_number) : "") +
                         std::string(status.message()));
    }
  }
  NoteTouched();
  accepted_ += accepted;
  refused_ += request.samples_size() - accepted;
  tally.set_accepted_count(tally.accepted_count() + accepted);
  tally.set_refused_count(tally.refused_count() + request.samples_size() - accepted);
  if (accepted > 0 && options_.has_thread && !is_ending_) {
    if (!thread_.joinable()) thread_ = std::thread([this] { WriteUntilTheEnd(); });
    changed_.WakeAll();
  }
  return absl::OkStatus();
}

void Utilization::WriteUntilTheEnd() {
  while (true) {
    {
      base::MutexLock lock(mutex_);
      while (waiting_.empty() && !is_ending_) changed_.Wait(mutex_);
      if (!is_ending_) ending_.WaitFor(mutex_, options_.write_interval);
      if (is_ending_) return;
    }
    Flush().IgnoreError();  // It is tried again.
  }
}

absl::Status Utilization::Write(const std::map<std::string, Summary>& summaries) {
  return store_.Transact([&](store::Transaction& transaction) -> absl::Status {
    for (const auto& [name, summary] : summaries) RETURN_IF_ERROR(Add(name, summary, transaction));
    return absl::OkStatus();
  });
}

absl::Status Utilization::Flush() {
  base::MutexLock write_lock(write_mutex_);
  std::map<std::string, Summary> summaries;
  {
    base::MutexLock lock(mutex_);
    summaries.swap(waiting_);
  }
  if (summaries.empty()) return absl::OkStatus();
  const absl::Status written = Write(summaries);
  if (!written.ok()) {
    base::MutexLock lock(mutex_);
    for (auto& [name, summary] : summaries) {
      const auto [waiting, is_new] = waiting_.try_emplace(name, summary);
      if (!is_new) waiting->second.Merge(summary);
    }
    return written;
  }
  if (HourOf(clock_.Now()) > rolled_up_ && RollUp().ok()) rolled_up_ = HourOf(clock_.Now());
  return absl::OkStatus();
}

absl::Status Utilization::RollUpDay(const std::string& day_name, const Summary& empty,
                                    const std::vector<std::string>& hour_names) {
  return store_.Transact([&](store::Transaction& transaction) -> absl::Status {
    Summary day = empty;
    for (const std::string& name : hour_names) {
      const absl::StatusOr<store::Record> record = transaction.Get(kKind, name);
      if (absl::IsNotFound(record.status())) continue;  // Another replica was faster.
      RETURN_IF_ERROR(record.status());
      ASSIGN_OR_RETURN(const Summary hour, Decode(record->value));
      day.Merge(hour);
      RETURN_IF_ERROR(transaction.Delete(kKind, name, ""));
    }
    return day.sample_count == 0 ? absl::OkStatus() : Add(day_name, day, transaction);
  });
}

absl::Status Utilization::RollUp() {
  const absl::Time now = clock_.Now();
  std::map<std::string, std::pair<Summary, std::vector<std::string>>> days;  // By the day's name: its old hours.
  std::vector<std::string> dropped;
  std::map<PoolKey, std::pair<absl::Time, std::string>> latest;  // The end and the value of each pool's last record.
  store::ListOptions options{store::Order::kByName, kRecordsOfAPage, ""};
  do {
    ASSIGN_OR_RETURN(const store::Page page, store_.List(kKind, options));
    for (const store::Record& record : page.records) {
      const std::optional<Period> period = PeriodOf(record.name);
      if (!period.has_value()) continue;
      auto& last = latest.try_emplace({period->cluster, period->pool}, absl::InfinitePast(), "").first->second;
      if (period->end() > last.first) last = {period->end(), record.value};
      if (period->is_day && period->end() <= now - options_.keep_days) dropped.push_back(record.name);
      if (period->is_day || period->end() > now - options_.keep_hours) continue;
      const Period day{period->cluster, period->pool, /*is_day=*/true, DayOf(period->start)};
      days.try_emplace(NameOf(day), EmptyOf(day), std::vector<std::string>())
          .first->second.second.push_back(record.name);
    }
    options.page_token = page.next_page_token;
  } while (!options.page_token.empty());
  for (const auto& [pool, last] : latest) {
    if (const auto summary = Decode(last.second); summary.ok()) NoteStored(pool, *summary);
  }
  for (const auto& [name, day] : days) RETURN_IF_ERROR(RollUpDay(name, day.first, day.second));
  for (const std::string& name : dropped) {
    const absl::Status status = store_.Delete(kKind, name, "");
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Summary>> Utilization::Read(const std::string& cluster, const std::string& pool,
                                                       absl::Time start, absl::Time end) {
  std::vector<Summary> found;
  for (const bool is_day : {true, false}) {
    Period before{cluster, pool, is_day, is_day ? DayOf(start) : HourOf(start)};
    before.start -= before.length();
    // The list goes on after the name that a token has, whether a record is called so or not.
    store::ListOptions options{store::Order::kByName, kRecordsOfAPage,
                               store::EncodePageToken(store::ListScope(kKind, store::Order::kByName), NameOf(before))};
    while (!options.page_token.empty()) {
      ASSIGN_OR_RETURN(const store::Page page, store_.List(kKind, options));
      options.page_token = page.next_page_token;
      for (const store::Record& record : page.records) {
        const std::optional<Period> period = PeriodOf(record.name);
        const bool is_ours =
            period.has_value() && period->cluster == cluster && period->pool == pool && period->is_day == is_day;
        if (!is_ours || period->start >= end) {
          options.page_token.clear();
          break;
        }
        ASSIGN_OR_RETURN(found.emplace_back(), Decode(record.value));
      }
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Summary& a, const Summary& b) { return a.start < b.start; });
  return found;
}

absl::StatusOr<v1::GetUtilizationResponse> Utilization::Get(const v1::GetUtilizationRequest& request) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const std::string cluster, validate::ClusterId("cluster", request.cluster()));
  const absl::Time now = clock_.Now();
  const absl::Time end = request.has_end_time() ? convert::TimeFromProto(request.end_time()) : now;
  const absl::Time start = request.has_start_time() ? convert::TimeFromProto(request.start_time()) : end - kUsualSpan;
  if (start >= end) {
    return base::InvalidField("start_time",
                              fmt::format("must be before end_time: {} is not before {}", absl::FormatTime(absl::RFC3339_sec, start, absl::UTCTimeZone()),
                                          absl::FormatTime(absl::RFC3339_sec, end, absl::UTCTimeZone())),
                              "NEGATIVE_DURATION");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const NodeIndex> nodes, NodesOf(cluster, now));
  // Up to now is everything: clocks may be ahead.
  const absl::Time last = request.has_end_time() ? end : end + absl::Minutes(1);
  v1::GetUtilizationResponse response;
  for (const NodeIndex::Pool& pool : nodes->pools()) {
    if (!request.node_pool().empty() && request.node_pool() != pool.name) continue;
    v1::PoolUtilization& answer = *response.add_pools();
    answer.set_node_pool(pool.name);
    answer.set_gpu_type(pool.gpu_type);
    ASSIGN_OR_RETURN(const std::vector<Summary> periods, Read(cluster, pool.name, start, last));
    Summary whole{.start = start, .length = end - start};
    for (const Summary& period : periods) {
      whole.Merge(period);
      *answer.add_periods() = ToProto(period);
    }
    *answer.mutable_summary() = ToProto(whole);
    for (v1::MeasuredUtilization& latest : Latest({{cluster, pool.name}}, now)) *answer.mutable_latest() = std::move(latest);
  }
  if (response.pools().empty() && !request.node_pool().empty()) {
    return base::NotFound("node_pool", fmt::format("is no pool of the cluster: node_pool=\"{}\"", request.node_pool()),
                          "UNKNOWN_POOL");
  }
  return response;
}

void Utilization::NoteTouched() {
  base::MutexLock lock(last_mutex_);
  for (const PoolKey& pool : touched_) {
    const Means& means = recent_[pool];
    Last& last = last_[pool];
    if (means.newest < last.newest) continue;
    last = {means.newest, means.busy.At(means.newest).Mean(), means.tensor_active.At(means.newest).Mean(), means.gpus.At(means.newest)};
  }
  touched_.clear();
}

void Utilization::NoteStored(const PoolKey& pool, const Summary& summary) {
  base::MutexLock lock(mutex_);
  Means& means = recent_[pool];
  means.newest = std::max(means.newest, summary.last_sample_time);
  base::MutexLock last_lock(last_mutex_);
  Last& last = last_[pool];
  if (summary.last_sample_time <= last.newest) return;
  last = {summary.last_sample_time, summary.totals[kBusy].Mean(), summary.totals[kTensorActive].Mean(), {}};
}

void Utilization::NoteTrouble(const std::string& cluster, const std::string& trouble) {
  base::MutexLock lock(last_mutex_);
  troubles_[cluster] = trouble;
}

std::vector<v1::MeasuredUtilization> Utilization::Latest(const std::vector<PoolKey>& clusters_and_pools, absl::Time now) {
  std::vector<v1::MeasuredUtilization> latest;
  base::MutexLock lock(last_mutex_);
  for (const PoolKey& pool : clusters_and_pools) {
    const auto trouble = troubles_.find(pool.first);
    const bool has_trouble = trouble != troubles_.end() && !trouble->second.empty();
    const auto last = last_.find(pool);
    const bool is_measured = last != last_.end() && last->second.newest > absl::InfinitePast();
    if (!is_measured && !has_trouble) continue;
    v1::MeasuredUtilization& proto = latest.emplace_back();
    proto.set_cluster("clusters/" + pool.first);
    proto.set_node_pool(pool.second);
    if (has_trouble) proto.set_trouble(trouble->second);
    if (!is_measured) continue;
    *proto.mutable_last_sample_time() = convert::TimeToProto(last->second.newest);
    *proto.mutable_age() = convert::DurationToProto(std::max(absl::ZeroDuration(), now - last->second.newest));
    if (last->second.busy.has_value()) proto.set_busy_ratio(*last->second.busy);
    if (last->second.tensor_active.has_value()) proto.set_tensor_active_ratio(*last->second.tensor_active);
    proto.set_measured_gpu_count(last->second.gpus.measured);
    proto.set_occupied_gpu_count(last->second.gpus.occupied);
  }
  return latest;
}

size_t Utilization::waiting() {
  base::MutexLock lock(mutex_);
  return waiting_.size();
}

std::map<std::pair<std::string, std::string>, Recently> Utilization::Recent() {
  const absl::Time now = clock_.Now();
  std::map<PoolKey, Recently> recent;
  base::MutexLock lock(mutex_);
  for (const auto& [pool, means] : recent_) {
    if (means.newest > absl::InfinitePast()) recent[pool] = {means.busy.At(now), means.tensor_active.At(now), means.gpus.At(now), means.newest};
  }
  return recent;
}

}  // namespace planner::utilization
