#include "services/collector/gpu_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace planner::collector {
namespace {

using ::testing::ElementsAre;

class GpuNamesTest : public ::testing::Test {
 protected:
  /// "node/number" of each series, whose labels are Hostname, instance, gpu and UUID; "-": none.
  std::vector<std::string> Find(const std::vector<std::vector<std::string>>& labels) {
    std::vector<Series> series;
    for (const auto& one : labels) series.push_back({one, absl::UnixEpoch(), 0});
    std::vector<std::string> found;
    for (const auto& gpu : names_.Find(series, [&](const std::string& name) -> std::optional<int> {
           const auto node = nodes_.find(name);
           return node == nodes_.end() ? std::nullopt : std::optional(node->second);
         })) {
      found.push_back(gpu.has_value() ? gpu->node + "/" + std::to_string(gpu->number) : "-");
    }
    return found;
  }

  std::map<std::string, int> nodes_ = {{"gpu01", 8}, {"gpu02", 2}, {"a.b", 8}, {"10.0.0.1", 8}, {"::1", 8}};
  GpuNames names_{2};
};

TEST_F(GpuNamesTest, NodesByTheFirstLabelThatNamesOne) {
  EXPECT_THAT(Find({{"gpu01", "x", "0", ""},
                    {"nowhere", "gpu01:9400", "1", ""},
                    {"", "gpu01.example.org:9400", "2", ""},
                    {"gpu01.example.org", "", "3", ""},
                    {"a.b", "", "4", ""},
                    {"a.b.c", "", "5", ""},
                    {"", "10.0.0.1:9400", "6", ""},
                    {"", "[::1]:9400", "7", ""},
                    {"", "", "0", ""},
                    {"nowhere", "elsewhere:9400", "0", ""}}),
              ElementsAre("gpu01/0", "gpu01/1", "gpu01/2", "gpu01/3", "a.b/4", "-", "10.0.0.1/6", "::1/7", "-", "-"));
}

TEST_F(GpuNamesTest, NumbersMustBeOfTheNode) {
  EXPECT_THAT(Find({{"gpu02", "", "1", ""}, {"gpu02", "", "2", ""}, {"gpu02", "", "99999999999999999999", ""}, {"gpu02", "", "", ""}}),
              ElementsAre("gpu02/1", "-", "-", "-"));
}

TEST_F(GpuNamesTest, IdentitiesAreNumberedInTheirOrderAndStay) {
  EXPECT_THAT(Find({{"gpu01", "", "", "GPU-c"}, {"gpu01", "", "", "GPU-a"}, {"gpu02", "", "", "GPU-z"}}),
              ElementsAre("gpu01/1", "gpu01/0", "gpu02/0"));
  EXPECT_THAT(Find({{"gpu01", "", "", "GPU-b"}, {"gpu01", "", "", "GPU-c"}}), ElementsAre("gpu01/2", "gpu01/1"));
}

TEST_F(GpuNamesTest, AReplacedCardHasTheNumberOfTheOneThatIsGone) {
  EXPECT_THAT(Find({{"gpu02", "", "", "GPU-1"}, {"gpu02", "", "", "GPU-2"}}), ElementsAre("gpu02/0", "gpu02/1"));
  EXPECT_THAT(Find({{"gpu02", "", "", "GPU-0"}, {"gpu02", "", "", "GPU-2"}}), ElementsAre("gpu02/0", "gpu02/1"));
  EXPECT_THAT(Find({{"gpu02", "", "", "GPU-3"}, {"gpu02", "", "", "GPU-4"}, {"gpu02", "", "", "GPU-5"}}),
              ElementsAre("gpu02/0", "gpu02/1", "-"));
}

}  // namespace
}  // namespace planner::collector
