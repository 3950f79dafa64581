#include "clients/slurm/submission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::slurm {
namespace {

TEST(SubmissionTest, ReadsWhatJobSubmitSends) {
  const auto job = ReadSubmission({{"tres_per_node", "gres:gpu:a100:4"},
                                   {"nodes", "2"},
                                   {"tasks", "4294967294"},
                                   {"tasks_per_node", "65534"},
                                   {"time_limit", "4294967294"},
                                   {"partition_time_limit", "10080"},
                                   {"partition", "gpu"},
                                   {"comment", "planner:model=gpt2,tokens=1B"},
                                   {"env.PLANNER_MODEL", "bert-base"},
                                   {"env.PLANNER_SEQ_LEN", "1k"},
                                   {"something_new", "1"}});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->gpus->count, 4);
  EXPECT_EQ(job->size.nodes, 2);
  EXPECT_FALSE(job->size.tasks.has_value());
  EXPECT_FALSE(job->size.tasks_per_node.has_value());
  EXPECT_FALSE(job->time_limit.has_value());
  EXPECT_EQ(*job->partition_time_limit, absl::Hours(7 * 24));
  EXPECT_EQ(job->words, (jobs::JobWords{{"model", "gpt2"}, {"tokens", "1B"}, {"seq-len", "1k"}}))
      << "what the comment says holds";
}

TEST(SubmissionTest, ReadsWhatSbatchTakes) {
  const auto job = ReadSubmission({{"gpus_per_node", "a100:8"}, {"nodes", "2-4"}, {"time_limit", "1-00:00:00"}});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(*TotalGpus(*job->gpus, job->size), 16);
  EXPECT_EQ(*job->time_limit, absl::Hours(24));
  EXPECT_FALSE(job->size.has_whole_nodes);
  EXPECT_TRUE(ReadSubmission({{"gres", "gpu:1"}, {"exclusive", "1"}})->size.has_whole_nodes);
  for (const char* unset : {"4294967294", "4294967295", "UNLIMITED", "", "0"}) {
    const auto without = ReadSubmission({{"time_limit", unset}});
    ASSERT_TRUE(without.ok()) << unset << without.status();
    EXPECT_FALSE(without->time_limit.has_value()) << unset;
  }
}

TEST(SubmissionTest, ErrorsNameTheField) {
  const auto field = [](const Fields& fields) { return base::DetailOf(ReadSubmission(fields).status()).field; };
  EXPECT_EQ(field({{"tres_per_job", "gpu:a100:1,gpu:h100:1"}}), "tres_per_job");
  EXPECT_EQ(field({{"nodes", "x"}}), "nodes");
  EXPECT_EQ(field({{"nodes", "-1"}}), "nodes");
  EXPECT_EQ(field({{"time_limit", "soon"}}), "time_limit");
  EXPECT_EQ(field({{"comment", "planner:model="}}), "comment");
  EXPECT_EQ(field({{"env.PLANNER_MODEL", std::string(5000, 'a')}}), "environment");
}

}  // namespace
}  // namespace planner::slurm
