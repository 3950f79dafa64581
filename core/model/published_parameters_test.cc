// Parameters of published models, total and active, exactly.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "core/model/config_tree.h"
#include "core/model/published_configs.h"

namespace planner::model {
namespace {

class PublishedParameters : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedParameters, AreExact) {
  const Published& published = GetParam();
  const ModelDescription description = Parse(published.json);
  const Parameters parameters = ParametersOf(Expand(description));
  EXPECT_EQ(parameters.total, published.total);
  EXPECT_EQ(parameters.active, published.active > 0 ? published.active : published.total);
  EXPECT_EQ(parameters.total + description.extra_stored_parameters,
            published.stored > 0 ? published.stored : published.total);
}

std::string TestName(const ::testing::TestParamInfo<Published>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Llama, PublishedParameters, ::testing::ValuesIn(kLlamaKin), TestName);
INSTANTIATE_TEST_SUITE_P(OldNames, PublishedParameters, ::testing::ValuesIn(kOldNames), TestName);
INSTANTIATE_TEST_SUITE_P(Gpt, PublishedParameters, ::testing::ValuesIn(kGpts), TestName);
INSTANTIATE_TEST_SUITE_P(Experts, PublishedParameters, ::testing::ValuesIn(kExperts), TestName);
INSTANTIATE_TEST_SUITE_P(Encoders, PublishedParameters, ::testing::ValuesIn(kEncoders), TestName);
INSTANTIATE_TEST_SUITE_P(EncoderDecoders, PublishedParameters, ::testing::ValuesIn(kEncoderDecoders), TestName);
INSTANTIATE_TEST_SUITE_P(Others, PublishedParameters, ::testing::ValuesIn(kOthers), TestName);

}  // namespace
}  // namespace planner::model
