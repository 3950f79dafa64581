#include "services/convert/layer_graph_text.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

#include "core/model/layer_graph.h"
#include "services/convert/layer_graph.h"
#include "services/convert/yaml_to_json.h"

namespace planner::convert {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kTextproto[] = R"pb(
  name: "net"
  inputs {
    name: "image"
    shape: [ 1, 3, 32, 32 ]
  }
  layers {
    name: "stem"
    conv { out_channels: 8 kernel: 3 padding: 1 bias: false }
  }
  layers {
    name: "norm"
    norm { kind: BATCH_NORM }
  }
  layers {
    name: "block"
    repeat: 2
    residual { body { upsample { scale: 1.0 } } }
  })pb";

constexpr char kJson[] = R"json({
  "name": "net",
  "inputs": [{"name": "image", "shape": [1, "3", 32, 32]}],
  "layers": [
    {"name": "stem", "conv": {"outChannels": 8, "kernel": [3], "padding": [1], "bias": false}},
    {"name": "norm", "norm": {"kind": "BATCH_NORM"}},
    {"name": "block", "repeat": 2, "residual": {"body": [{"upsample": {"scale": [1.0]}}]}}]})json";

constexpr char kYaml[] = R"yaml(
name: net   # The names of fields are those of the proto, or of its JSON mapping.
inputs:
  - {name: image, shape: [1, 3, 32, 32]}
layers:
  - name: stem
    conv: {out_channels: 8, kernel: [3], padding: [1], bias: false}
  - name: norm
    norm: {kind: BATCH_NORM}
  - name: block
    repeat: 2
    residual:
      body:
        - upsample: {scale: [1.0]}
)yaml";

std::string ErrorOf(const std::string& text, GraphFormat format) {
  const auto proto = ParseLayerGraphText(text, format);
  EXPECT_EQ(proto.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(proto.status().message());
}

/// What stops a graph of the given layers, whichever step it is.
std::string ErrorOfLayers(const std::string& layers) {
  const auto proto = ParseLayerGraphText("inputs { shape: [1, 4] }\n" + layers, GraphFormat::kTextproto);
  if (!proto.ok()) return std::string(proto.status().message());
  return std::string(LayerGraphFromProto(*proto).status().message());
}

TEST(LayerGraphTextTest, ThreeSpellingsAreOneGraph) {
  const auto text = ParseLayerGraphText(kTextproto, GraphFormat::kTextproto);
  const auto json = ParseLayerGraphText(kJson, GraphFormat::kJson);
  const auto yaml = ParseLayerGraphText(kYaml, GraphFormat::kYaml);
  ASSERT_TRUE(text.ok()) << text.status();
  ASSERT_TRUE(json.ok()) << json.status();
  ASSERT_TRUE(yaml.ok()) << yaml.status();
  EXPECT_EQ(text->layers_size(), 3);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*text, *json)) << json->DebugString();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*text, *yaml)) << yaml->DebugString();
}

TEST(LayerGraphTextTest, HandsMayWriteOneValueForAListAndEnumsInLowerCase) {
  const auto yaml = ParseLayerGraphText(
      "layers: [{conv: {out_channels: 8, kernel: 3}}, {activation: {kind: leaky_relu}}, {recurrent: {cell: lstm}}]",
      GraphFormat::kYaml);
  ASSERT_TRUE(yaml.ok()) << yaml.status();
  EXPECT_THAT(yaml->layers(0).conv().kernel(), ::testing::ElementsAre(3));
  EXPECT_EQ(yaml->layers(1).activation().kind(), v1::Activation::LEAKY_RELU);
  EXPECT_EQ(yaml->layers(2).recurrent().cell(), v1::Recurrent::LSTM);
  EXPECT_THAT(ErrorOf(R"({"layers":[{"activation":{"kind":"rely"}}]})", GraphFormat::kJson),
              AllOf(HasSubstr("layers[0].activation.kind"), HasSubstr("rely")));
}

TEST(LayerGraphTextTest, FormatsByFileName) {
  EXPECT_EQ(GraphFormatOf("a/net.textproto"), GraphFormat::kTextproto);
  EXPECT_EQ(GraphFormatOf("net.yaml"), GraphFormat::kYaml);
  EXPECT_EQ(GraphFormatOf("net.yml"), GraphFormat::kYaml);
  EXPECT_EQ(GraphFormatOf("net.json"), GraphFormat::kJson);
  EXPECT_EQ(GraphFormatOf("net.pt"), std::nullopt);
}

TEST(LayerGraphTextTest, UnknownFieldsAreErrorsThatSayWhere) {
  EXPECT_THAT(ErrorOf("name: \"a\"\nlayers { conv { kernal: 3 } }", GraphFormat::kTextproto),
              AllOf(HasSubstr("line 2"), HasSubstr("kernal")));
  EXPECT_THAT(ErrorOf(R"({"layers": [{"conv": {"kernal": 3}}]})", GraphFormat::kJson),
              AllOf(HasSubstr("layers[0].conv"), HasSubstr("kernal")));
  EXPECT_THAT(ErrorOf("layers:\n- conv: {kernal: 3}", GraphFormat::kYaml),
              AllOf(HasSubstr("layers[0].conv"), HasSubstr("kernal")));
}

TEST(LayerGraphTextTest, MalformedTextIsAnError) {
  EXPECT_THAT(ErrorOf(R"({"layers": [{"conv")", GraphFormat::kJson), HasSubstr("malformed"));
  EXPECT_THAT(ErrorOf("", GraphFormat::kJson), HasSubstr("malformed"));
  EXPECT_THAT(ErrorOf("[]", GraphFormat::kJson), HasSubstr("must be a JSON object"));
  EXPECT_THAT(ErrorOf("{name: 'a'}", GraphFormat::kJson), HasSubstr("malformed"));
  EXPECT_THAT(ErrorOf("layers { conv {", GraphFormat::kTextproto), HasSubstr("malformed"));
  EXPECT_THAT(ErrorOf("layers: [1, {a: ]", GraphFormat::kYaml), HasSubstr("line 1"));
  EXPECT_THAT(ErrorOf("", GraphFormat::kYaml), HasSubstr("no document"));
  EXPECT_THAT(ErrorOf("name: a\n---\nname: b", GraphFormat::kYaml), HasSubstr("more than one document"));
  EXPECT_THAT(ErrorOf("just text", GraphFormat::kYaml), HasSubstr("must be a JSON object"));
}

TEST(LayerGraphTextTest, WrongTypesAndNumbersAreErrors) {
  EXPECT_THAT(ErrorOf(R"({"layers": [{"linear": {"outFeatures": 1.5}}]})", GraphFormat::kJson),
              HasSubstr("layers[0].linear.out_features"));
  EXPECT_THAT(ErrorOf(R"({"layers": [{"linear": {"outFeatures": 99999999999999999999}}]})", GraphFormat::kJson),
              HasSubstr("out_features"));
  EXPECT_THAT(ErrorOf(R"({"layers": [{"linear": {"outFeatures": "many"}}]})", GraphFormat::kJson),
              HasSubstr("out_features"));
  EXPECT_THAT(ErrorOf("layers { linear { out_features: 1e30 } }", GraphFormat::kTextproto), HasSubstr("integer"));
  EXPECT_THAT(ErrorOf("layers: [{norm: {kind: LAYERNORM}}]", GraphFormat::kYaml), HasSubstr("layers[0].norm.kind"));
  EXPECT_THAT(ErrorOf(R"({"layers": [{"linear": {}, "conv": {}}]})", GraphFormat::kJson), HasSubstr("oneof"));
}

TEST(LayerGraphTextTest, LargeAndDeepTextIsRefused) {
  EXPECT_THAT(ErrorOf(std::string(kMaxGraphTextBytes + 1, ' '), GraphFormat::kTextproto), HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(std::string(kMaxGraphTextBytes + 1, ' '), GraphFormat::kYaml), HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(std::string(1000000, '['), GraphFormat::kJson), HasSubstr("nested too deeply"));
  EXPECT_THAT(ErrorOf(std::string(400, '[') + std::string(400, ']'), GraphFormat::kYaml), HasSubstr("deep"));
  EXPECT_THAT(ErrorOf(std::string(100000, '['), GraphFormat::kYaml), HasSubstr("line 1"));
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "layers{sequence{";
  EXPECT_THAT(ErrorOf(nested, GraphFormat::kTextproto), HasSubstr("deep"));
}

/// A graph of sequences within sequences, in all spellings.
TEST(LayerGraphTextTest, EverySpellingCarriesTheDeepestGraph) {
  std::string text = "layers { flatten {} }";
  std::string json = R"({"reshape": {"shape": [1, -1]}})";
  for (int i = 1; i < model::kMaxLayerNesting; ++i) {
    text = "layers { sequence { " + text + " } }";
    json = R"({"sequence": {"layers": [)" + json + "]}}";
  }
  const auto check = [](const absl::StatusOr<v1::LayerGraph>& proto) {
    ASSERT_TRUE(proto.ok()) << proto.status();
    const auto layer_graph = LayerGraphFromProto(*proto);
    ASSERT_TRUE(layer_graph.ok()) << layer_graph.status();
    const auto description = model::DescribeLayerGraph(*layer_graph);
    EXPECT_TRUE(description.ok()) << description.status();
  };
  check(ParseLayerGraphText("inputs { shape: [1, 4] }" + text, GraphFormat::kTextproto));
  json = R"({"inputs": [{"shape": [1, 4]}], "layers": [)" + json + "]}";
  check(ParseLayerGraphText(json, GraphFormat::kJson));
  check(ParseLayerGraphText(json, GraphFormat::kYaml));  // YAML contains JSON.
}

TEST(LayerGraphTextTest, AliasesAreWrittenOutButCannotMultiply) {
  const auto proto = ParseLayerGraphText(
      "inputs: [{shape: [1, 4]}]\nlayers:\n- linear: &fc {out_features: 4}\n- linear: *fc\n", GraphFormat::kYaml);
  ASSERT_TRUE(proto.ok()) << proto.status();
  EXPECT_EQ(proto->layers(1).linear().out_features(), 4);

  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) bomb += last + ", ";
    bomb += last + "]\n";
  }
  EXPECT_THAT(ErrorOf(bomb, GraphFormat::kYaml), HasSubstr("too much text"));
  EXPECT_THAT(ErrorOf("a: &a [*a]", GraphFormat::kYaml), HasSubstr("alias"));
}

TEST(YamlToJsonTest, ScalarsFollowTheCoreSchema) {
  const auto json = YamlToJson(
      "[1, +07, -0, 1.5, .5, 1e3, 2., -.inf, true, False, ~, '1', \"true\", text, !!str 5, 1.2.3, -, 0x1]", {});
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json, R"([1,7,-0,1.5,0.5,1.0e3,2.0,"-Infinity",true,false,null,"1","true","text","5","1.2.3","-","0x1"])");
}

TEST(YamlToJsonTest, KeysAreUniqueScalars) {
  const auto error = [](const std::string& yaml) { return std::string(YamlToJson(yaml, {}).status().message()); };
  EXPECT_THAT(error("a: 1\nb: 2\na: 3"), HasSubstr("line 3, column 1: has a key twice: a"));
  EXPECT_THAT(error("? [1]\n: 2"), HasSubstr("no scalar"));
  EXPECT_THAT(error("a: &a {b: 1}\nc:\n  <<: *a"), HasSubstr("merge key"));
  EXPECT_THAT(error("a: !!binary aGk="), HasSubstr("tag"));
}

TEST(LayerGraphFromProtoTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(ErrorOfLayers("layers { name: \"a\" }"), HasSubstr("layers[0]: has no kind"));
  EXPECT_THAT(ErrorOfLayers("layers { recurrent { hidden_size: 4 } }"),
              HasSubstr("layers[0].recurrent.cell: is required"));
  EXPECT_THAT(ErrorOfLayers("layers { flatten {} } layers { norm {} }"), HasSubstr("layers[1].norm.kind: is required"));
  EXPECT_THAT(ErrorOfLayers("layers { residual { body { pool { kernel: 2 } } } }"),
              HasSubstr("layers[0].residual.body[0].pool.kind: is required"));
}

TEST(LayerGraphFromProtoTest, ElementTypesAreKnown) {
  v1::LayerGraph proto;
  proto.add_inputs()->set_dtype("float33");
  EXPECT_THAT(std::string(LayerGraphFromProto(proto).status().message()),
              HasSubstr("inputs[0].dtype: has no such type: dtype=float33"));
}

// A client may send numbers that this version has no name for.
TEST(LayerGraphFromProtoTest, UnknownEnumNumbersAreErrors) {
  v1::LayerGraph proto;
  proto.add_layers()->mutable_activation()->set_kind(static_cast<v1::Activation::Kind>(99));
  EXPECT_THAT(std::string(LayerGraphFromProto(proto).status().message()),
              HasSubstr("layers[0].activation.kind: has no such value: value=99"));
}

TEST(LayerGraphFromProtoTest, NestingIsBounded) {
  v1::LayerGraph proto;
  auto* layers = proto.mutable_layers();
  for (int i = 0; i < 1000; ++i) layers = layers->Add()->mutable_sequence()->mutable_layers();
  EXPECT_THAT(std::string(LayerGraphFromProto(proto).status().message()), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace planner::convert
