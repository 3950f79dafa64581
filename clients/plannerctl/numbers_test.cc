#include "clients/plannerctl/numbers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace planner::plannerctl {
namespace {

TEST(ParseNumberTest, TakesSuffixesAndExponents) {
  EXPECT_EQ(*ParseNumber("2T"), 2e12);
  EXPECT_EQ(*ParseNumber("1.4T"), 1.4e12);
  EXPECT_EQ(*ParseNumber("300B"), 3e11);
  EXPECT_EQ(*ParseNumber("4M"), 4e6);
  EXPECT_EQ(*ParseNumber("2k"), 2e3);
  EXPECT_EQ(*ParseNumber("2K"), 2e3);
  EXPECT_EQ(*ParseNumber("2e9"), 2e9);
  EXPECT_EQ(*ParseNumber("+7"), 7);
  EXPECT_EQ(*ParseNumber("-5"), -5);
  EXPECT_EQ(*ParseNumber(".5"), 0.5);
}

TEST(ParseNumberTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "T", "abc", "1.2.3", "1 B", "nan", "inf", "1e999", "0x10", "12 ", "1e3k", "5X", "--5", "1,000"}) {
    EXPECT_FALSE(ParseNumber(text).ok()) << text;
  }
}

TEST(ParseIntegerTest, IsExactToTheLastBit) {
  EXPECT_EQ(*ParseInteger("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(*ParseInteger("9007199254740993"), 9007199254740993);
  EXPECT_EQ(*ParseInteger("1.5k"), 1500);
  EXPECT_EQ(*ParseInteger("-3"), -3);
  EXPECT_FALSE(ParseInteger("9223372036854775808").ok());
  EXPECT_FALSE(ParseInteger("1.5").ok());
  EXPECT_FALSE(ParseInteger("").ok());
}

TEST(ParseInt32Test, HasItsOwnRange) {
  EXPECT_EQ(*ParseInt32("2147483647"), 2147483647);
  EXPECT_FALSE(ParseInt32("2147483648").ok());
  EXPECT_FALSE(ParseInt32("-3B").ok());
}

TEST(ParseRatioTest, TakesPercent) {
  EXPECT_EQ(*ParseRatio("0.45"), 0.45);
  EXPECT_EQ(*ParseRatio("45%"), 0.45);
  EXPECT_FALSE(ParseRatio("%").ok());
}

TEST(ParseBoolTest, TakesTheUsualWords) {
  EXPECT_TRUE(*ParseBool("true"));
  EXPECT_TRUE(*ParseBool("ON"));
  EXPECT_FALSE(*ParseBool("0"));
  EXPECT_FALSE(*ParseBool("no"));
  EXPECT_FALSE(ParseBool("maybe").ok());
}

TEST(ParseRangeTest, TakesOneNumberOrTwo) {
  EXPECT_EQ(ParseRange("8")->min, 8);
  EXPECT_EQ(ParseRange("8")->max, 8);
  EXPECT_EQ(ParseRange("8-64")->min, 8);
  EXPECT_EQ(ParseRange("8-1k")->max, 1000);
  EXPECT_EQ(ParseRange("-8")->min, -8);  // For the server to refuse, by its field.
  for (const char* text : {"", "-", "8-", "8-x", "8:64"}) {
    EXPECT_FALSE(ParseRange(text).ok()) << text;
  }
}

TEST(FormatCountTest, KeepsThreeDigits) {
  EXPECT_EQ(FormatCount(6738415616), "6.74B");
  EXPECT_EQ(FormatCount(512), "512");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999.9e6), "1B");
  EXPECT_EQ(FormatCount(1.4e12), "1.4T");
  EXPECT_EQ(FormatCount(2.5e18), "2.50e18");
  EXPECT_EQ(FormatCount(-2000), "-2k");
}

TEST(FormatGroupedTest, GroupsByThree) {
  EXPECT_EQ(FormatGrouped(25557032), "25,557,032");
  EXPECT_EQ(FormatGrouped(999), "999");
  EXPECT_EQ(FormatGrouped(1000), "1,000");
  EXPECT_EQ(FormatGrouped(-100), "-100");
  EXPECT_EQ(FormatGrouped(-123456), "-123,456");
  EXPECT_EQ(FormatGrouped(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(FormatGibTest, IsAlwaysGib) {
  EXPECT_EQ(FormatGib(int64_t{80} << 30), "80.0 GiB");
  EXPECT_EQ(FormatGib((int64_t{3} << 30) / 2), "1.50 GiB");
  EXPECT_EQ(FormatGib(0), "0 GiB");
  EXPECT_EQ(FormatGib(1), "<0.01 GiB");
}

TEST(FormatTest, OtherUnits) {
  EXPECT_EQ(FormatScientific(3.14e23), "3.14e23");
  EXPECT_EQ(FormatScientific(0), "0");
  EXPECT_EQ(FormatScientific(1.5e-3), "1.50e-03");
  EXPECT_EQ(FormatPercent(0.4487), "44.9 %");
  EXPECT_EQ(FormatMoney(1234567.6, "USD"), "USD 1,234,568");
  EXPECT_EQ(FormatMoney(12.345, "EUR"), "EUR 12.35");
  EXPECT_EQ(FormatRate(312e12, 1e12), "312");
  EXPECT_EQ(FormatRate(19.5e12, 1e12), "19.5");
  EXPECT_EQ(FormatRate(0, 1e12), "-");
}

}  // namespace
}  // namespace planner::plannerctl
