#include "core/model/json_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

nlohmann::json Json(std::string_view text) {
  absl::StatusOr<nlohmann::json> json = ParseJsonObject(text, "config");
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *std::move(json) : nlohmann::json::object();
}

TEST(FieldsTest, ReadsByEitherSpelling) {
  const nlohmann::json json = Json(R"({"n_embd": 64, "heads": 4.0, "bias": true, "name": "x", "ratio": 0.5})");
  Fields fields(json, "");
  EXPECT_EQ(fields.Size({"hidden_size", "n_embd"}), 64);
  EXPECT_EQ(fields.Size({"heads"}), 4);
  EXPECT_EQ(fields.Size({"absent"}, 7), 7);
  EXPECT_TRUE(fields.Flag({"bias"}, false));
  EXPECT_EQ(fields.Text({"name"}), "x");
  EXPECT_EQ(fields.Number({"ratio"}, 1), 0.5);
  EXPECT_EQ(fields.NameOf({"hidden_size", "n_embd"}), "n_embd");
  EXPECT_EQ(fields.NameOf({"first", "second"}), "first");
  EXPECT_TRUE(fields.ok()) << fields.status();
}

TEST(ParseJsonObjectTest, ANulIsNoEndOfTheText) {
  EXPECT_TRUE(absl::IsInvalidArgument(ParseJsonObject(std::string_view("{}\0", 3), "config").status()));
}

TEST(FieldsTest, NullCountsAsAbsent) {
  const nlohmann::json json = Json(R"({"kv_heads": null})");
  Fields fields(json, "");
  EXPECT_FALSE(fields.Has({"kv_heads"}));
  EXPECT_EQ(fields.Size({"kv_heads"}, 3), 3);
  EXPECT_TRUE(fields.ok());
}

TEST(FieldsTest, RemembersTheFirstErrorWithItsPath) {
  const nlohmann::json json = Json(R"({"a": -1, "b": "x"})");
  Fields fields(json, "text_config");
  fields.Size({"a"});
  fields.Size({"b"});
  EXPECT_EQ(base::DetailOf(fields.status()).field, "text_config.a");
  EXPECT_THAT(std::string(fields.status().message()), HasSubstr("value=-1"));
}

TEST(FieldsTest, MissingFieldsNameTheirSpellings) {
  const nlohmann::json json = Json("{}");
  Fields fields(json, "");
  fields.Size({"hidden_size", "n_embd", "d_model"});
  EXPECT_THAT(std::string(fields.status().message()),
              HasSubstr("hidden_size: is missing (also known as n_embd, d_model)"));
}

TEST(FieldsTest, ListsAreCheckedEntryByEntry) {
  const nlohmann::json json = Json(R"({"types": ["a", "b"], "layers": [1, 2], "bad": [1, -2], "mixed": ["a", 1]})");
  Fields fields(json, "");
  EXPECT_THAT(fields.Texts({"types"}, 2), ElementsAre("a", "b"));
  EXPECT_THAT(fields.Counts({"layers"}), ElementsAre(1, 2));
  EXPECT_THAT(fields.Counts({"absent"}), IsEmpty());
  EXPECT_TRUE(fields.ok());
  Fields negative(json, "");
  negative.Counts({"bad"});
  EXPECT_EQ(base::DetailOf(negative.status()).field, "bad[1]");
  Fields mixed(json, "");
  mixed.Texts({"mixed"}, 2);
  EXPECT_EQ(base::DetailOf(mixed.status()).field, "mixed[1]");
  Fields length(json, "");
  length.Texts({"types"}, 3);
  EXPECT_THAT(std::string(length.status().message()), HasSubstr("entries=2 layers=3"));
}

TEST(FieldsTest, NestedObjectsKeepTheirPath) {
  const nlohmann::json json = Json(R"({"outer": {"inner": {"size": 0}}, "flat": 3})");
  Fields fields(json, "");
  Fields outer = fields.Object("outer");
  Fields inner = outer.Object("inner");
  inner.Size({"size"});
  EXPECT_EQ(base::DetailOf(inner.status()).field, "outer.inner.size");
  EXPECT_FALSE(fields.Object("absent").Has({"x"}));
  EXPECT_TRUE(fields.ok());
  fields.Object("flat");
  EXPECT_EQ(base::DetailOf(fields.status()).field, "flat");
}

TEST(ParseJsonObjectTest, RefusesWhatIsNoObject) {
  for (const char* text : {"", "[]", "3", "{", "{\"a\":}", "{\"a\":1}}"}) {
    EXPECT_EQ(ParseJsonObject(text, "config").status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseJsonObjectTest, BoundsDepthButNotBracketsInStrings) {
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<size_t>(depth) - 1, '[') +
           std::string(static_cast<size_t>(depth) - 1, ']') + "}";
  };
  EXPECT_TRUE(ParseJsonObject(nested(kMaxJsonDepth), "config").ok());
  EXPECT_THAT(std::string(ParseJsonObject(nested(kMaxJsonDepth + 1), "config").status().message()),
              HasSubstr("depth=65 limit=64"));
  EXPECT_TRUE(ParseJsonObject("{\"a\":\"" + std::string(100, '[') + "\\\"[\"}", "config").ok());
}

TEST(RepeatedKeysTest, ArePathsOfWhatStandsTwice) {
  EXPECT_THAT(RepeatedKeys(R"({"a":1,"b":{"a":1,"c":[{"d":1},{"d":2}]},"a":2})"), ElementsAre("a"));
  EXPECT_THAT(RepeatedKeys(R"({"b":{"a":1,"a":1},"l":[{"d":1,"d":1,"d":1}]})"), ElementsAre("b.a", "l.d"));
  EXPECT_THAT(RepeatedKeys(R"({"a":1,"a":1,"b":1,"b":1})", 1), ElementsAre("a"));
  EXPECT_THAT(RepeatedKeys(R"({"a":1,"a":)"), IsEmpty());
}

TEST(ParseJsonObjectTest, BoundsSize) {
  EXPECT_THAT(std::string(ParseJsonObject(std::string(kMaxJsonBytes + 1, ' '), "config").status().message()),
              HasSubstr("limit=4194304"));
}

}  // namespace
}  // namespace planner::model
