#include "clients/plannerctl/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "planner/v1/count.pb.h"
#include "planner/v1/estimate.pb.h"
#include "planner/v1/plan_service.pb.h"

namespace planner::plannerctl {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

nlohmann::json Json(const google::protobuf::Message& message) { return nlohmann::json::parse(ToJson(message)); }

TEST(ParseOutputFormatTest, KnowsThree) {
  EXPECT_EQ(*ParseOutputFormat("table"), OutputFormat::kTable);
  EXPECT_EQ(*ParseOutputFormat("json"), OutputFormat::kJson);
  EXPECT_EQ(*ParseOutputFormat("yaml"), OutputFormat::kYaml);
  EXPECT_FALSE(ParseOutputFormat("JSON").ok());
  EXPECT_FALSE(ParseOutputFormat("").ok());
}

TEST(ToJsonTest, FollowsTheProto3Mapping) {
  v1::CountResponse response;
  response.set_parameter_count(6738415616);
  response.mutable_provenance()->set_backward(v1::CountProvenance::DERIVED);
  const nlohmann::json json = Json(response);
  EXPECT_EQ(json["parameterCount"], "6738415616");
  EXPECT_EQ(json["provenance"]["backward"], "DERIVED");
  EXPECT_THAT(ToJson(response), EndsWith("}\n"));
}

TEST(ToJsonTest, PrintsWhatIsNotSet) {
  const nlohmann::json json = Json(v1::CountResponse());
  EXPECT_EQ(json["backward"]["macs"], "0");
  EXPECT_EQ(json["forward"]["otherFlops"], "0");
  EXPECT_TRUE(json["modules"].is_array());
  EXPECT_TRUE(json["provenance"].contains("counterVersion"));
}

TEST(ToJsonTest, CompletesRepeatedMessages) {
  v1::EstimateResponse response;
  response.add_recommendations()->set_gpu_count(8);
  response.set_model_flops(8.4e22);
  const nlohmann::json json = Json(response);
  EXPECT_EQ(json["modelFlops"], 8.4e22);
  const nlohmann::json& best = json["recommendations"][0];
  EXPECT_EQ(best["gpuCount"], "8");
  EXPECT_EQ(best["memoryPerGpu"]["capacityBytes"], "0");
  EXPECT_EQ(best["layout"]["recompute"], "RECOMPUTE_UNSPECIFIED");
  EXPECT_EQ(best["stepDuration"], "0s");
  EXPECT_FALSE(best.contains("startTime"));  // 1970 would be a lie.
}

TEST(ToJsonTest, LeavesRequestsAlone) {
  v1::Plan plan;
  plan.mutable_request()->mutable_model()->set_preset("gpt2");
  const nlohmann::json json = Json(plan);
  EXPECT_EQ(json["request"]["model"]["preset"], "gpt2");
  EXPECT_FALSE(json["request"].contains("resources"));
  EXPECT_TRUE(json["estimate"].contains("provenance"));
}

TEST(ToYamlTest, IsTheSameTreeWithTypesKept) {
  v1::CountResponse response;
  response.set_parameter_count(25557032);
  response.set_model("true");
  response.add_warnings("a: b # c\nsecond line");
  response.add_warnings("");
  const std::string text = ToYaml(response);
  EXPECT_THAT(text, HasSubstr("parameterCount: \"25557032\"\n"));
  EXPECT_THAT(text, HasSubstr("model: \"true\"\n"));
  const YAML::Node tree = YAML::Load(text);
  EXPECT_EQ(tree["parameterCount"].as<std::string>(), "25557032");
  EXPECT_EQ(tree["warnings"][0].as<std::string>(), "a: b # c\nsecond line");
  EXPECT_EQ(tree["warnings"][1].as<std::string>(), "");
  EXPECT_TRUE(tree["modules"].IsSequence());
}

TEST(JsonToYamlTest, WritesScalarsAsTheyAre) {
  EXPECT_EQ(JsonToYaml(R"({"a":1.5,"b":true,"c":null,"d":"1.5","e":{},"f":[],"g":"plain text"})"),
            "a: 1.5\nb: true\nc: ~\nd: \"1.5\"\ne: {}\nf: []\ng: plain text\n");
  EXPECT_THAT(JsonToYaml(R"({"a":8.4e22})"), Not(HasSubstr("\"")));
}

TEST(JsonToYamlTest, QuotesWhatWouldReadAsAnotherType) {
  for (const char* text : {"yes", "No", "~", "null", "1e3", "0x1F", "2026-01-01", ".inf", "-1", ""}) {
    const std::string yaml = JsonToYaml(nlohmann::json{{"a", text}}.dump());
    EXPECT_THAT(yaml, HasSubstr("\"")) << text;
    EXPECT_EQ(YAML::Load(yaml)["a"].as<std::string>(), text);
  }
}

}  // namespace
}  // namespace planner::plannerctl
