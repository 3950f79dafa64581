#include "services/learning/learning.h"

#include <optional>
#include <vector>

#include "core/base/status_macros.h"
#include "planner/v1/run.pb.h"
#include "services/learning/evidence.h"

namespace planner::learning {
namespace {

bool Same(const calibration::Evidence& a, const calibration::Evidence& b) {
  return a.log_ratio == b.log_ratio && a.time == b.time && a.kind == b.kind;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const calibration::Calibration>> Learning::Current(absl::Time now) {
  ASSIGN_OR_RETURN(const int64_t version, store_.Version());
  const absl::Time day = calibration::StartOfDay(now);
  base::MutexLock lock(mutex_);
  if (learned_ != nullptr && version_ == version && day_ == day) return learned_;
  bool anew = learned_ == nullptr || day != day_;
  std::vector<calibration::Evidence> added;
  if (learned_ == nullptr || version_ != version) {
    ASSIGN_OR_RETURN(const store::Changes changes, store_.ChangesSince({store::Kind::kRun}, version_));
    added = Apply(changes, day, anew);
    version_ = changes.version;
  }
  day_ = day;
  if (!anew && added.empty()) return learned_;
  std::shared_ptr<calibration::Calibration> learned;
  if (anew) {
    added.clear();
    for (const auto& [key, evidence] : evidence_) added.push_back(evidence);
    learned = std::make_shared<calibration::Calibration>(std::move(added), options_);
    learned->AgeTo(day);
  } else {
    learned = std::make_shared<calibration::Calibration>(*learned_);
    // What it refuses, it refuses whenever it is asked.
    for (const calibration::Evidence& evidence : added) learned->Learn(evidence).IgnoreError();
  }
  learned_ = std::move(learned);
  return learned_;
}

std::vector<calibration::Evidence> Learning::Apply(const store::Changes& changes, absl::Time day, bool& anew) {
  if (changes.is_all && !evidence_.empty()) {
    evidence_.clear();
    times_.clear();
    anew = true;
  }
  for (const auto& [kind, name] : changes.deleted) {
    if (Forget(name)) anew = true;
  }
  // What ends up at the end of the order can be learned on top of the rest, if the rest is as old as it was when it was learned.
  const std::optional<Key> last = evidence_.empty() ? std::nullopt : std::optional<Key>(evidence_.rbegin()->first);
  std::map<Key, calibration::Evidence> added;
  for (const auto& [kind, record] : changes.written) {
    v1::Run run;
    if (!run.ParseFromString(record.value)) {
      if (log_ != nullptr)
        log_->Write(telemetry::Level::kError,
                    {{"event", "run_not_learned"}, {"run", record.name}, {"reason", "cannot be read"}});
      continue;
    }
    const std::optional<calibration::Evidence> evidence = EvidenceOf(run, record.update_time);
    if (const auto known = times_.find(record.name); known != times_.end()) {
      if (evidence && Same(evidence_.at({known->second, record.name}), *evidence)) continue;
      Forget(record.name);
      anew = true;
    }
    if (!evidence) continue;
    const Key key{evidence->time, record.name};
    if ((last && key < *last) || evidence->time < day) anew = true;
    times_[record.name] = evidence->time;
    evidence_.emplace(key, *evidence);
    added.emplace(key, *evidence);
  }
  std::vector<calibration::Evidence> in_order;
  for (auto& [key, evidence] : added) in_order.push_back(std::move(evidence));
  return in_order;
}

bool Learning::Forget(const std::string& name) {
  const auto known = times_.find(name);
  if (known == times_.end()) return false;
  evidence_.erase({known->second, name});
  times_.erase(known);
  return true;
}

}  // namespace planner::learning
