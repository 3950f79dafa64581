#include "core/counting/counter_set.h"

#include <memory>

#include "core/base/error.h"
#include "core/counting/fake_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::counting {
namespace {

using ::testing::HasSubstr;

model::ModelDescription Described(model::SourceFormat format) {
  model::ModelDescription description;
  description.source = std::make_shared<model::ModelSource>(model::ModelSource{.format = format});
  return description;
}

FakeCounter Named(const std::string& name, std::vector<model::SourceFormat> formats) {
  return {{.name = name, .formats = std::move(formats)}, CostReport{.counter = name}};
}

class CounterSetTest : public ::testing::Test {
 protected:
  std::string Asked(const model::ModelDescription& model, const std::string& counter = "") {
    const auto report = set_.Count({.model = model, .counter = counter});
    return report.ok() ? report->counter : report.status().ToString();
  }

  FakeCounter formulas_ = Named("formulas", {model::SourceFormat::kHuggingFaceConfig});
  FakeCounter modules_ = Named("modules", {model::SourceFormat::kTorchScript});
  FakeCounter all_ = Named("all", {model::SourceFormat::kHuggingFaceConfig, model::SourceFormat::kTorchScript});
  CounterSet set_{{&formulas_, &modules_, &all_}};
};

TEST_F(CounterSetTest, AsksTheFirstThatTakesTheModel) {
  EXPECT_EQ(Asked(Described(model::SourceFormat::kHuggingFaceConfig)), "formulas");
  EXPECT_EQ(Asked(Described(model::SourceFormat::kTorchScript)), "modules");
  EXPECT_EQ(Asked(model::ModelDescription{}), "formulas");
  EXPECT_EQ(all_.calls(), 0);
}

TEST_F(CounterSetTest, AsksTheNamedOne) {
  EXPECT_EQ(Asked(Described(model::SourceFormat::kHuggingFaceConfig), "all"), "all");
  EXPECT_THAT(Asked(Described(model::SourceFormat::kTorchScript), "al"),
              HasSubstr("no counter is named \"al\"; there are: formulas, modules, all"));
}

TEST_F(CounterSetTest, PassesOverThoseThatAreDown) {
  modules_.set_up(false);
  EXPECT_EQ(Asked(Described(model::SourceFormat::kTorchScript)), "all");
  all_.set_up(false);
  const auto down = set_.Count({.model = Described(model::SourceFormat::kTorchScript)});
  EXPECT_TRUE(absl::IsUnavailable(down.status()));
  EXPECT_THAT(std::string(down.status().message()), HasSubstr("modules"));
}

TEST_F(CounterSetTest, SaysWhereNoneTakesTheModel) {
  EXPECT_TRUE(absl::IsUnimplemented(set_.Count({.model = Described(model::SourceFormat::kLayerGraph)}).status()));
}

}  // namespace
}  // namespace planner::counting
