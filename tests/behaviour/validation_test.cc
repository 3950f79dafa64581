#include <gmock/gmock.h>

#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::SizeIs;
using Service = v1::EstimationService::Stub;

class ValidationBehaviour : public PlannerTest {
 protected:
  grpc::Status Validate(const std::string& csv, v1::ValidateRunsResponse& response) {
    v1::ValidateRunsRequest request;
    request.set_runs_csv(csv);
    return Call(&Service::ValidateRuns, request, response);
  }
  v1::ValidateRunsResponse Validated(const std::string& csv) {
    v1::ValidateRunsResponse response;
    const grpc::Status status = Validate(csv, response);
    EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
    return response;
  }
  grpc::Status Refused(const std::string& csv) {
    v1::ValidateRunsResponse response;
    return Validate(csv, response);
  }
};

/// A 22 billion parameter GPT on one node, published with two ways to recompute, and rows that have a flaw each.
constexpr char kRuns[] =
    "id,source,model,n_layers,hidden,ffn_hidden,heads,vocab,seq_len,gpu_type,n_gpus,tp,global_batch,recompute,"
    "iteration_time_s,peak_mem_gib,mem_unit,status\n"
    "full,a paper / table 5,GPT 22B,48,6144,24576,64,51200,2048,A100-SXM-80GB,8,8,4,full,1.42,50,GiB,ok\n"
    "selective,a paper / table 6,GPT 22B,48,6144,24576,64,51200,2048,a100,8,8,4,selective,1.10,,,\n"
    "one-card,\"our \"\"lab\"\"\",GPT 22B,48,6144,24576,64,51200,2048,a100,1,1,4,full,,,,oom\n"
    "doubtful,our notes,GPT 22B,48,6144,24576,64,51200,2048,a100,8,8,4,full,14,,,suspect\n"
    "typo,our notes,GPT 22B,forty,6144,24576,64,51200,2048,a100,8,8,4,full,14,,,ok\n"
    "abacus,our notes,GPT 22B,48,6144,24576,64,51200,2048,abacus,8,8,4,full,14,,,ok\n";

TEST_P(ValidationBehaviour, EveryRowGetsAnAnswer) {
  const v1::ValidateRunsResponse answer = Validated(kRuns);
  ASSERT_THAT(answer.rows(), SizeIs(6));
  const v1::RunPrediction& full = answer.rows(0);
  EXPECT_EQ(full.id(), "full");
  EXPECT_EQ(full.source(), "a paper / table 5");
  EXPECT_EQ(full.publication(), "a paper");
  EXPECT_EQ(full.line(), 2);
  EXPECT_EQ(full.measured_step_seconds(), 1.42);
  EXPECT_EQ(full.measured_peak_memory_gib(), 50);
  EXPECT_EQ(full.skipped(), "");
  EXPECT_EQ(full.status(), "ok");
  EXPECT_GT(full.predicted_step_seconds(), 0.5);
  EXPECT_LT(full.predicted_step_seconds(), 3);
  EXPECT_LT(full.low_step_seconds(), full.predicted_step_seconds());
  EXPECT_GT(full.high_step_seconds(), full.predicted_step_seconds());
  EXPECT_GT(full.predicted_peak_memory_gib(), 10);
  EXPECT_TRUE(full.has_fits());
  const v1::RunPrediction& selective = answer.rows(1);
  EXPECT_EQ(selective.gpu_type(), "A100-SXM-80GB");
  EXPECT_EQ(selective.gpu_family(), "Ampere");
  EXPECT_EQ(selective.gpu_count(), 8);
  EXPECT_EQ(selective.status(), "ok");
  EXPECT_LT(selective.predicted_step_seconds(), full.predicted_step_seconds());
  // 22 billion parameters with their optimizer are no job for one card.
  EXPECT_EQ(answer.rows(2).source(), "our \"lab\"");
  EXPECT_TRUE(answer.rows(2).has_fits());
  EXPECT_FALSE(answer.rows(2).fits());
}

TEST_P(ValidationBehaviour, WhatCannotBePredictedIsSkippedWithAReason) {
  const v1::ValidateRunsResponse answer = Validated(kRuns);
  ASSERT_THAT(answer.rows(), SizeIs(6));
  EXPECT_THAT(answer.rows(3).skipped(), HasSubstr("suspect"));
  EXPECT_THAT(answer.rows(4).skipped(), AllOf(HasSubstr("line 6"), HasSubstr("n_layers"), HasSubstr("forty")));
  EXPECT_THAT(answer.rows(5).skipped(), AllOf(HasSubstr("gpu_type"), HasSubstr("abacus")));
  for (int i = 3; i < 6; ++i) {
    EXPECT_EQ(answer.rows(i).predicted_step_seconds(), 0);
    EXPECT_FALSE(answer.rows(i).has_fits());
  }
}

TEST_P(ValidationBehaviour, ErrorsAreOfTheRowsThatHaveBoth) {
  const v1::ValidateRunsResponse answer = Validated(kRuns);
  const v1::RunGroup& overall = answer.overall();
  EXPECT_EQ(overall.row_count(), 6);
  EXPECT_EQ(overall.predicted_count(), 3);
  EXPECT_EQ(overall.skipped_count(), 3);
  EXPECT_EQ(overall.time_count(), 2);
  const auto error = [&](int i) {
    return std::abs(answer.rows(i).predicted_step_seconds() / answer.rows(i).measured_step_seconds() - 1);
  };
  EXPECT_NEAR(overall.time_mape(), (error(0) + error(1)) / 2, 1e-12);
  EXPECT_EQ(overall.memory_count(), 1);
  EXPECT_EQ(overall.oom_count(), 1);
  EXPECT_EQ(overall.oom_right_count(), 1);
  EXPECT_EQ(overall.ran_count(), 2);
  const auto source = [](const char* name) { return Property(&v1::RunGroup::source, name); };
  EXPECT_THAT(answer.groups(), ElementsAre(source("a paper / table 5"), source("a paper / table 6"),
                                           source("our \"lab\""), source("our notes")));
  EXPECT_THAT(answer.publications(), ElementsAre(source("a paper"), source("our \"lab\""), source("our notes")));
  EXPECT_NEAR(answer.publications(0).time_mape(), overall.time_mape(), 1e-12);
  EXPECT_THAT(answer.gpu_families(),
              ElementsAre(Property(&v1::RunGroup::gpu_family, "Ampere"), Property(&v1::RunGroup::gpu_family, "")));
  EXPECT_NE(answer.planner_version(), "");
}

TEST_P(ValidationBehaviour, TablesThatCannotBeReadNameTheLine) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "is empty"},
      {"\n\n", "line 1"},
      {"model,tp\ngpt2,1\n", "\"id\""},
      {"id,tp\n", "no row"},
      {"id,tp,tp\n1,2,3\n", "twice"},
      {"id,tp\n1,\"2\n", "line 2"},
      {std::string((8U << 20) + 1, 'x'), "at most 8388608 bytes"},
      {std::string(300, ','), "at most 256 columns"},
      {"id" + std::string(30'000, '\n'), "at most 20001 lines"},
  };
  for (const auto& [csv, text] : wrong) {
    const grpc::Status status = Refused(csv);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << csv.substr(0, 50);
    EXPECT_EQ(FieldOf(status), "runs_csv");
    EXPECT_THAT(status.error_message(), HasSubstr(text));
  }
  // Beyond gRPC's own bound.
  EXPECT_EQ(Refused(std::string(20U << 20, 'x')).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_P(ValidationBehaviour, HostileTextsComeBackAsText) {
  const v1::ValidateRunsResponse answer = Validated(
      "id,source,model,gpu_type\n\xff\xfe\x80,<script>,\x1b[2J,\xc3\n\"a\nb\"," + std::string(5000, 's') + ",,\n");
  ASSERT_THAT(answer.rows(), SizeIs(2));
  EXPECT_EQ(answer.rows(0).id(), "???");
  EXPECT_EQ(answer.rows(0).source(), "<script>");
  EXPECT_LE(answer.rows(1).source().size(), 1000U);
  EXPECT_EQ(answer.groups(1).source(), answer.rows(1).source());
}

TEST_P(ValidationBehaviour, AManyRowTableIsAnswered) {
  std::string csv = "id,n_layers,hidden,heads,vocab,seq_len,gpu_type,n_gpus\n";
  for (int i = 0; i < 20'000; ++i) csv += std::to_string(i) + ",24,1024,16,50000,1024,a100,8\n";
  const v1::ValidateRunsResponse answer = Validated(csv);
  ASSERT_THAT(answer.rows(), SizeIs(20'000));
  EXPECT_EQ(answer.rows(19'999).id(), "19999");
  EXPECT_EQ(answer.rows(19'999).predicted_step_seconds(), answer.rows(0).predicted_step_seconds());
}

TEST_P(ValidationBehaviour, APassedDeadlineIsSaid) {
  deadline_ = std::chrono::system_clock::time_point();
  EXPECT_EQ(Refused(kRuns).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

INSTANTIATE_TEST_SUITE_P(Places, ValidationBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
