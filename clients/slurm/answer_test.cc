#include "clients/slurm/answer.h"

#include <gtest/gtest.h>

#include <string>

namespace planner::slurm {
namespace {

TEST(AnswerTest, TellsLuaInWordsAndNumbers) {
  jobs::Decision decision{.action = jobs::Action::kAccept, .plan = "plans/p1", .time_limit_minutes = 90, .nodes = 2};
  decision.gpus = jobs::GpuRequest{.scope = jobs::GpuScope::kNode, .type = "a100", .count = 8};
  decision.messages = {"one", "two"};
  EXPECT_EQ(FieldsOf(decision), (Fields{{"action", "accept"},
                                        {"plan", "plans/p1"},
                                        {"time_limit", "90"},
                                        {"tres_field", "tres_per_node"},
                                        {"tres_value", "gres:gpu:a100:8"},
                                        {"nodes", "2"},
                                        {"message", "one"},
                                        {"message", "two"}}));
  decision.messages.assign(100, std::string(10'000, '\n'));
  EXPECT_LT(Encode(FieldsOf(decision)).size(), kMaxMessageBytes);
}

TEST(AnswerTest, TellsLuaWhatToDoWithoutOne) {
  const auto policy = jobs::ParsePolicy(R"(
partitions: {gpu: {mode: enforce}, debug: {mode: off}}
default: {on_failure: closed}
)");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(FallbackOf(*policy),
            (Fields{{"on_failure", "closed"}, {"on_failure.debug", "open"}, {"on_failure.gpu", "closed"}}));
  EXPECT_EQ(FallbackOf({}), (Fields{{"on_failure", "open"}}));
}

}  // namespace
}  // namespace planner::slurm
