#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/base/status_macros.h"
#include "core/store/memory_store.h"
#include "services/convert/time.h"
#include "services/server/fake_id_source.h"
#include "services/server/fake_plan.h"
#include "services/server/runs.h"

namespace planner::server {

template <typename Message>
Message ParseText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

/// A store whose transactions all run twice, as those of a database do that has to try again.
class RepeatingStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::Status Transact(const store::Body& body) override {
    if (const auto meanwhile = std::exchange(before_next, nullptr)) meanwhile();
    if (!repeats) return MemoryStore::Transact(body);
    const absl::Status taken_back = absl::AbortedError("once more");
    bool is_first_ok = false;
    const absl::Status first = MemoryStore::Transact([&](store::Transaction& transaction) -> absl::Status {
      RETURN_IF_ERROR(body(transaction));
      is_first_ok = true;
      return taken_back;
    });
    return is_first_ok ? MemoryStore::Transact(body) : first;
  }
  bool repeats = false;
  std::function<void()> before_next;  ///< What another replica does before the next transaction.
};

class RunsTest : public ::testing::Test {
 protected:
  RunsTest() { PutPlan("p1", FakePlan()); }

  void PutPlan(const std::string& id, const v1::Plan& plan) {
    ASSERT_TRUE(store_.Create(store::Kind::kPlan, id, plan.SerializeAsString(), "").ok());
  }
  absl::StatusOr<v1::Run> Start(const std::string& text) { return runs_.Start(ParseText<v1::StartRunRequest>(text)); }
  v1::Run MustStart(const std::string& text = "run { plan: 'plans/p1' }") {
    absl::StatusOr<v1::Run> run = Start(text);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.value_or(v1::Run());
  }
  static std::string IdOf(const v1::Run& run) { return run.name().substr(5); }

  v1::ProgressSample At(double seconds, int64_t step) const {
    v1::ProgressSample sample;
    *sample.mutable_time() = convert::TimeToProto(begin_ + absl::Seconds(seconds));
    sample.set_step(step);
    return sample;
  }
  absl::StatusOr<ReportOutcome> Report(const v1::Run& run, std::vector<v1::ProgressSample> samples) {
    return runs_.Report({{IdOf(run), std::move(samples), 0}}).at(0);
  }
  /// Steps of `seconds` each, a report every ten, from step 0 to `steps`; the clock goes along.
  v1::Run Train(const v1::Run& run, double seconds, int64_t steps) {
    std::vector<v1::ProgressSample> samples;
    for (int64_t step = 0; step <= steps; step += 10) samples.push_back(At(seconds * static_cast<double>(step), step));
    MoveTo(seconds * static_cast<double>(steps));
    const absl::StatusOr<ReportOutcome> outcome = Report(run, std::move(samples));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? outcome->run : v1::Run();
  }
  void MoveTo(double seconds) { clock_.Advance(begin_ + absl::Seconds(seconds) - clock_.Now()); }
  v1::Run Get(const v1::Run& run) {
    v1::GetRunRequest request;
    request.set_name(run.name());
    absl::StatusOr<v1::Run> got = runs_.Get(request);
    EXPECT_TRUE(got.ok()) << got.status();
    return got.value_or(v1::Run());
  }
  absl::StatusOr<v1::Run> Finish(const v1::Run& run, const std::string& text = "") {
    auto request = ParseText<v1::FinishRunRequest>(text);
    request.set_name(run.name());
    return runs_.Finish(request);
  }
  absl::Status Delete(const v1::Run& run) {
    v1::DeleteRunRequest request;
    request.set_name(run.name());
    return runs_.Delete(request);
  }
  std::vector<std::string> Names(const std::string& text) {
    std::vector<std::string> names;
    auto request = ParseText<v1::ListRunsRequest>(text);
    do {
      const absl::StatusOr<v1::ListRunsResponse> page = runs_.List(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const v1::Run& run : page->runs()) names.push_back(run.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
  static double SecondsOf(const google::protobuf::Duration& duration) {
    return absl::ToDoubleSeconds(convert::DurationFromProto(duration));
  }
  double SecondsOf(const google::protobuf::Timestamp& time) const { return absl::ToDoubleSeconds(convert::TimeFromProto(time) - begin_); }
  static std::string ReasonOf(const absl::Status& status) { return base::DetailOf(status).reason; }
  static std::string FieldOf(const absl::Status& status) { return base::DetailOf(status).field; }

  base::FakeClock clock_;
  const absl::Time begin_ = clock_.Now();
  RepeatingStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, clock_};
  RunIndex index_{store_};
  FakeIdSource ids_;
  Runs runs_{store_, bookings_, index_, clock_, ids_};
};

}  // namespace planner::server
