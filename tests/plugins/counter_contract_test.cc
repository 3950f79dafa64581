// The numbered rules of core/counting/counter.h, over every implementation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/counting/analytic_counter.h"
#include "services/plugin_host/remote_counter.h"
#include "tests/plugins/models.h"

namespace planner::plugins_test {
namespace {

using counting::CostReport;
using counting::CountRequest;

/// A counter, and models for it to count. One more implementation is one more row in INSTANTIATE below.
struct Subject {
  std::string name;
  std::function<std::unique_ptr<const counting::Counter>()> make;
  std::function<model::ModelDescription()> model;       ///< That it takes, small, with a sequence length to choose.
  std::function<model::ModelDescription()> unexpected;  ///< Of a format that it does not take.
};
void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }

class CounterContract : public ::testing::TestWithParam<Subject> {
 protected:
  absl::Time In(absl::Duration duration) { return base::Clock::Real().Now() + duration; }
  CountRequest Request(counting::Mode mode = counting::Mode::kTraining) {
    return {.model = model_, .batch = {.batch = 2, .seq_len = 16}, .mode = mode, .deadline = In(absl::Seconds(60))};
  }
  CostReport Count(const CountRequest& request) {
    absl::StatusOr<CostReport> report = counter_->Count(request);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : CostReport();
  }

  const std::unique_ptr<const counting::Counter> counter_ = GetParam().make();
  const model::ModelDescription model_ = GetParam().model();
};

bool Same(const CostReport& a, const CostReport& b) {
  if (a.modules.size() != b.modules.size() || a.operators.size() != b.operators.size()) return false;
  for (size_t i = 0; i < a.modules.size(); ++i) {
    const counting::ModuleCost& x = a.modules[i];
    const counting::ModuleCost& y = b.modules[i];
    if (x.path != y.path || x.kind != y.kind || x.depth != y.depth || x.instances != y.instances ||
        x.parameters != y.parameters || x.forward != y.forward || x.backward != y.backward ||
        x.activation_bytes != y.activation_bytes)
      return false;
  }
  for (size_t i = 0; i < a.operators.size(); ++i) {
    if (a.operators[i].kind != b.operators[i].kind || a.operators[i].forward != b.operators[i].forward ||
        a.operators[i].backward != b.operators[i].backward || a.operators[i].call_count != b.operators[i].call_count)
      return false;
  }
  return a.parameters == b.parameters && a.forward == b.forward && a.backward == b.backward &&
         a.activation_bytes == b.activation_bytes && a.stored_parameters == b.stored_parameters &&
         a.warnings == b.warnings && a.backward_source == b.backward_source && a.block_forward == b.block_forward &&
         a.attention_forward == b.attention_forward;
}

TEST_P(CounterContract, Rule1EqualRequestsGiveEqualReports) {
  const CostReport report = Count(Request());
  EXPECT_GT(report.forward.macs, 0);
  EXPECT_TRUE(Same(report, Count(Request())));
}

TEST_P(CounterContract, Rule2ThreadsMayCountAtOnce) {
  const CostReport expected = Count(Request());
  std::vector<std::thread> threads;
  std::vector<int> same(8, 0);
  for (int& one : same) threads.emplace_back([&] { one = Same(Count(Request()), expected) ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(same, ::testing::Each(1));
}

TEST_P(CounterContract, Rule3APassedDeadlineIsDeadlineExceeded) {
  CountRequest request = Request();
  request.deadline = In(absl::Seconds(-1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(counter_->Count(request).status()));
}

TEST_P(CounterContract, Rule4InferenceHasNoBackwardPass) {
  const CostReport training = Count(Request());
  const CostReport inference = Count(Request(counting::Mode::kInference));
  EXPECT_EQ(inference.forward, training.forward);
  EXPECT_EQ(inference.backward, counting::Work());
  EXPECT_GT(training.backward.macs, training.forward.macs);
}

TEST_P(CounterContract, Rule5OperatorsAndModulesAddUp) {
  const CostReport report = Count(Request());
  counting::Work sum;
  for (const counting::OperatorCost& cost : report.operators) {
    sum.macs += cost.forward.macs;
    sum.other_flops += cost.forward.other_flops;
  }
  EXPECT_EQ(sum.macs, report.forward.macs);
  EXPECT_EQ(sum.other_flops, report.forward.other_flops);
  ASSERT_FALSE(report.modules.empty());
  EXPECT_EQ(report.modules[0].path, "");
  EXPECT_EQ(report.modules[0].forward, report.forward);
  CountRequest totals = Request();
  totals.with_modules = false;
  EXPECT_EQ(Count(totals).forward, report.forward);
}

TEST_P(CounterContract, Rule7AnAbsurdSizeIsAnErrorAndNoWrap) {
  CountRequest request = Request();
  request.batch.batch = std::numeric_limits<int32_t>::max();
  request.batch.seq_len = 128;
  request.batch.batch *= 1'000'000'000;
  const absl::Status status = counter_->Count(request).status();
  EXPECT_TRUE(absl::IsOutOfRange(status) || absl::IsInvalidArgument(status)) << status;
}

TEST_P(CounterContract, Rule7ASizeThatDoesNotFitNamesItsField) {
  CountRequest request = Request();
  request.batch.seq_len = -1;
  const absl::Status status = counter_->Count(request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(base::DetailOf(status).field, ::testing::HasSubstr("seq_len"));
}

TEST_P(CounterContract, Rule8AModelThatItDoesNotTakeIsUnimplemented) {
  const model::ModelDescription model = GetParam().unexpected();
  EXPECT_TRUE(absl::IsUnimplemented(counter_->Count({.model = model, .deadline = In(absl::Seconds(60))}).status()));
}

TEST_P(CounterContract, SaysWhatItIsAndSignsItsReports) {
  counter_->Learn(In(absl::Seconds(60)));
  const counting::CounterInfo info = counter_->Info();
  EXPECT_TRUE(info.up && info.known) << info.detail;
  EXPECT_FALSE(info.formats.empty());
  const CostReport report = Count(Request());
  EXPECT_EQ(report.counter, info.name);
  EXPECT_EQ(report.counter_version, info.version);
  EXPECT_EQ(report.backward_source == counting::BackwardSource::kCounted, info.counts_backward);
}

/// A language model as TorchScript, which the build has Debian's torch write: an embedding and a head, so that seq_len means
/// something.
model::ModelDescription ScriptedModel() {
  const std::string path = CONTRACT_MODEL;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  base::Sha256 digest;
  digest.Update(content);
  model::ModelDescription model{.kind = model::ModelKind::kModule};
  model.source = std::make_shared<const model::ModelSource>(model::ModelSource{
      .format = model::SourceFormat::kTorchScript,
      .text = {},
      .file = {.sha256 = digest.Finish(), .size_bytes = static_cast<int64_t>(content.size()), .path = path}});
  return model;
}

std::unique_ptr<const counting::Counter> Plugin(const std::string& name, const std::string& program) {
  return std::make_unique<const plugin_host::RemoteCounter>(plugin_host::PluginSpec{.name = name, .program = program},
                                                            plugin_host::HostOptions(), base::Clock::Real(), nullptr);
}

model::ModelDescription AnyFile() {
  model::ModelDescription model{.kind = model::ModelKind::kModule};
  model.source = std::make_shared<const model::ModelSource>(
      model::ModelSource{.format = model::SourceFormat::kTorchScript,
                         .text = {},
                         .file = {.sha256 = std::string(64, 'a'), .size_bytes = 1, .path = "/dev/null"}});
  return model;
}

INSTANTIATE_TEST_SUITE_P(
    All, CounterContract,
    ::testing::Values(Subject{"Analytic", [] { return std::make_unique<const counting::AnalyticCounter>(); },
                              [] { return Gpt2(); }, AnyFile},
                      Subject{"AnalyticPlugin", [] { return Plugin("analytic-plugin", ANALYTIC_PLUGIN); },
                              [] { return Gpt2(); }, AnyFile},
                      Subject{"LibtorchPlugin", [] { return Plugin("libtorch", LIBTORCH_PLUGIN); }, ScriptedModel,
                              [] { return Gpt2(); }}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace planner::plugins_test
