#include "services/telemetry/measured_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"

namespace planner::telemetry {
namespace {

using store::Kind;
using ::testing::HasSubstr;

/// Takes two seconds for a Get, and has lost its disk where it is told so.
class SlowStore : public store::MemoryStore {
 public:
  explicit SlowStore(base::FakeClock& clock) : MemoryStore(clock), clock_(clock) {}
  absl::StatusOr<store::Record> Get(Kind kind, std::string_view name) override {
    clock_.Advance(absl::Seconds(2));
    if (is_away) return absl::UnavailableError("away");
    return MemoryStore::Get(kind, name);
  }
  bool is_away = false;

 private:
  base::FakeClock& clock_;
};

class MeasuredStoreTest : public ::testing::Test {
 protected:
  std::string Text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  base::FakeClock clock_;
  prometheus::Registry registry_;
  StoreProbe probe_{registry_};
  SlowStore slow_{clock_};
  MeasuredStore store_{slow_, probe_, clock_};
};

TEST_F(MeasuredStoreTest, MeasuresEachOperation) {
  ASSERT_TRUE(store_.Create(Kind::kPlan, "a", "1", "id").ok());
  EXPECT_EQ(store_.Get(Kind::kPlan, "a")->value, "1");
  EXPECT_EQ(store_.GetByRequestId(Kind::kPlan, "id")->name, "a");
  EXPECT_EQ(store_.List(Kind::kPlan, {})->records.size(), 1u);
  EXPECT_EQ(store_.ChangesSince({Kind::kPlan}, 0)->written.size(), 1u);
  EXPECT_EQ(*store_.Version(), *slow_.Version());
  const std::string text = Text();
  for (const char* operation : {"transact", "get", "get_by_request_id", "list", "changes_since", "version"}) {
    EXPECT_THAT(text, HasSubstr("planner_store_duration_seconds_count{operation=\"" + std::string(operation) + "\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("planner_store_errors_total{operation=\"" + std::string(operation) + "\"} 0\n"));
  }
  EXPECT_THAT(text, HasSubstr(R"(planner_store_duration_seconds_sum{operation="get"} 2)"));
}

TEST_F(MeasuredStoreTest, AnAnswerByRuleIsNoErrorOfTheStore) {
  EXPECT_TRUE(absl::IsNotFound(store_.Get(Kind::kPlan, "none").status()));
  EXPECT_TRUE(absl::IsAborted(store_.Transact([](store::Transaction&) { return absl::AbortedError("etag"); })));
  EXPECT_THAT(Text(), HasSubstr(R"(planner_store_errors_total{operation="get"} 0)"));
  EXPECT_THAT(Text(), HasSubstr(R"(planner_store_errors_total{operation="transact"} 0)"));
  slow_.is_away = true;
  EXPECT_TRUE(absl::IsUnavailable(store_.Get(Kind::kPlan, "none").status()));
  EXPECT_THAT(Text(), HasSubstr(R"(planner_store_errors_total{operation="get"} 1)"));
}

}  // namespace
}  // namespace planner::telemetry
