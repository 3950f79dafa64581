// The layer graphs of the catalogue against the published figures of the models they describe: parameters, and MACs for one
// image, as PyTorch's own counter gives them for torchvision's models.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "core/counting/analytic_counter.h"
#include "services/catalog/catalog.h"

namespace planner::catalog {
namespace {

struct Figures {
  std::string name;
  int64_t parameters = 0;
  int64_t macs = 0;
  friend void PrintTo(const Figures& figures, std::ostream* out) { *out << figures.name; }
};

class CnnPresetTest : public ::testing::TestWithParam<Figures> {};

TEST_P(CnnPresetTest, CountsAsPublished) {
  const auto entry = ModelCatalog().Find(GetParam().name);
  ASSERT_TRUE(entry.ok()) << entry.status();
  const auto report = counting::AnalyticCounter().Count({.model = (*entry)->description, .batch = {.batch = 1}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, GetParam().parameters);
  EXPECT_EQ(report->forward.macs, GetParam().macs);
}

// Twice the images, twice the work, the same parameters.
TEST_P(CnnPresetTest, WorkIsProportionalToTheBatch) {
  const auto entry = ModelCatalog().Find(GetParam().name);
  ASSERT_TRUE(entry.ok()) << entry.status();
  const auto report = counting::AnalyticCounter().Count({.model = (*entry)->description, .batch = {.batch = 2}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, GetParam().parameters);
  EXPECT_EQ(report->forward.macs, 2 * GetParam().macs);
}

INSTANTIATE_TEST_SUITE_P(
    Torchvision, CnnPresetTest,
    ::testing::Values(Figures{"alexnet", 61100840, 714188480}, Figures{"vgg16", 138357544, 15470264320},
                      Figures{"resnet18", 11689512, 1814073344}, Figures{"resnet50", 25557032, 4089184256},
                      Figures{"resnext101-32x8d", 88791336, 16414015488}, Figures{"densenet121", 7978856, 2834161664},
                      Figures{"mobilenet-v2", 3504872, 300774272}, Figures{"squeezenet1-1", 1235496, 349151936},
                      Figures{"efficientnet-b0", 5288548, 385814752}, Figures{"r3d-18", 33371472, 40696553472}),
    [](const auto& instance) {
      std::string name = instance.param.name;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

}  // namespace
}  // namespace planner::catalog
