#include <grpcpp/grpcpp.h>

#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "core/base/fake_clock.h"
#include "gtest/gtest.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"

namespace planner {
namespace {

/// A training whose duration was published.
struct Published {
  const char* model;
  double tokens;
  const char* gpu;
  int64_t gpus;
  double hardware_flops_ratio;  ///< 0: the planner's own default.
  double gpu_hours;
  double tolerance;  ///< Of the ratio of predicted to published.
};

void PrintTo(const Published& row, std::ostream* out) { *out << row.model << " on " << row.gpus << " " << row.gpu; }

class PublishedTrainingTest : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedTrainingTest, IsPredictedWithinItsTolerance) {
  const Published& row = GetParam();
  const base::FakeClock clock;
  app::AppOptions options;
  options.clock = &clock;
  absl::StatusOr<std::unique_ptr<app::App>> app = app::App::Create(std::move(options));
  ASSERT_TRUE(app.ok()) << app.status();

  v1::EstimateRequest request;
  request.mutable_model()->set_preset(row.model);
  request.mutable_data_set()->set_token_count(row.tokens);
  request.mutable_resources()->add_gpu_types(row.gpu);
  request.mutable_resources()->set_min_gpus(row.gpus);
  request.mutable_resources()->set_max_gpus(row.gpus);
  if (row.hardware_flops_ratio > 0) {
    request.mutable_utilization()->set_hardware_flops_ratio(row.hardware_flops_ratio);
    request.mutable_training()->set_recompute(v1::Training::FULL);
  }
  v1::EstimateResponse response;
  grpc::ClientContext context;
  const grpc::Status status =
      v1::EstimationService::NewStub((*app)->InProcessChannel())->Estimate(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_GT(response.recommendations_size(), 0);
  const double ratio = response.recommendations(0).gpu_hours() / row.gpu_hours;
  RecordProperty("ratio", std::to_string(ratio));
  EXPECT_NEAR(ratio, 1, row.tolerance);
}

INSTANTIATE_TEST_SUITE_P(Rows, PublishedTrainingTest,
                         ::testing::Values(
                             // SC21 (2104.04473), section 5.1: 34 days at 140 TFLOP/s a card, full recomputation.
                             Published{"gpt3-175b", 300e9, "A100-SXM-80GB", 1024, 140.0 / 312, 34 * 24 * 1024.0, 0.03},
                             // LLaMA (2302.13971), table 15.
                             Published{"llama-65b", 1.4e12, "A100-SXM-80GB", 2048, 0, 1022362, 0.10}));

}  // namespace
}  // namespace planner
