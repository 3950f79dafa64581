#include "clients/plannerctl/flag_names.h"

#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

TEST(NameFlagsTest, NamesFieldsWhereverTheyStand) {
  EXPECT_EQ(NameFlags("data_set.token_count: must be above 0: token_count=-5"),
            "--tokens: must be above 0: token_count=-5");
  EXPECT_EQ(NameFlags("data_set.token_count is ignored; give data_set.sample_count."),
            "--tokens is ignored; give --samples.");
  EXPECT_EQ(NameFlags("plan.request.utilization.model_flops_ratio: must be at most 1"), "--mfu: must be at most 1");
  EXPECT_EQ(NameFlags("data_set.inputs[0].dimensions[1]: must be above 0"),
            "--input[0].dimensions[1]: must be above 0");
}

TEST(NameFlagsTest, PlainWordsOnlyAtTheBeginning) {
  EXPECT_EQ(NameFlags("model: is missing"), "--model: is missing");
  EXPECT_EQ(NameFlags("model.layer_graph.layers[3]: is cyclic"), "--model: model.layer_graph.layers[3]: is cyclic");
  EXPECT_EQ(NameFlags("goal is ignored: x"), "--goal is ignored: x");
  EXPECT_EQ(NameFlags("goal, layout.zero_stage are ignored: x"), "--goal, --zero are ignored: x");
  EXPECT_EQ(NameFlags("model is fine"), "model is fine");
  EXPECT_EQ(NameFlags("the model: x"), "the model: x");
  EXPECT_EQ(NameFlags("model"), "model");
}

TEST(NameFlagsTest, LongerNamesAreOtherNames) {
  EXPECT_EQ(NameFlags("resources.clusters: x"), "resources.clusters: x");
  EXPECT_EQ(NameFlags("old.data_set.token_count: x"), "old.data_set.token_count: x");
  EXPECT_EQ(NameFlags("modelling: x"), "modelling: x");
}

TEST(NameFlagsTest, KeepsTheCode) {
  EXPECT_EQ(NameFlags(absl::NotFoundError("resources.cluster: no such cluster")),
            absl::NotFoundError("--cluster: no such cluster"));
}

}  // namespace
}  // namespace planner::plannerctl
