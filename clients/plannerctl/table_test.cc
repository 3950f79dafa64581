#include "clients/plannerctl/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace planner::plannerctl {
namespace {

std::string Print(const Table& table, TableStyle style = {}) {
  std::ostringstream out;
  table.Print(out, style);
  return out.str();
}

Table Sample() {
  Table table({{"NAME"}, {"GPUS", Table::Align::kRight}, {"NOTE"}});
  table.AddRow({"a", "8", "x"});
  table.AddRow({"longer", "1,024", ""});
  return table;
}

TEST(TableTest, AlignsColumns) {
  EXPECT_EQ(Print(Sample()),
            "NAME     GPUS  NOTE\n"
            "a           8  x\n"
            "longer  1,024\n");
}

TEST(TableTest, LeavesHeadersOutAndTheirWidthsToo) {
  Table table({{"A LONG TITLE"}, {"N", Table::Align::kRight}});
  table.AddRow({"x", "1"});
  EXPECT_EQ(Print(table, {.headers = false}), "x  1\n");
}

TEST(TableTest, BoldIsOnlyTheHeader) {
  Table table({{"A"}});
  table.AddRow({"x"});
  EXPECT_EQ(Print(table, {.bold = true}), "\033[1mA\033[0m\nx\n");
}

TEST(TableTest, CountsColumnsNotBytes) {
  Table table({{"NAME"}, {"N"}});
  table.AddRow({"8 × 2", "1"});
  table.AddRow({"模型", "2"});
  EXPECT_EQ(Print(table),
            "NAME   N\n"
            "8 × 2  1\n"
            "模型   2\n");
}

TEST(TableTest, FillsAndDropsCells) {
  Table table({{"A"}, {"B"}});
  table.AddRow({"1"});
  table.AddRow({"1", "2", "3"});
  EXPECT_EQ(Print(table), "A  B\n1\n1  2\n");
}

TEST(PrintableTest, RemovesEscapesAndBrokenBytes) {
  EXPECT_EQ(Printable("a\033[31mred\n"), "a?[31mred?");
  EXPECT_EQ(Printable("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(Printable("\xFF\xC3"), "??");
  EXPECT_EQ(Printable("\xC2\x9B"), "?");          // CSI as one code point.
  EXPECT_EQ(Printable("x\xE2\x80\xAEy"), "x?y");  // Right-to-left override.
}

TEST(DisplayWidthTest, KnowsWideAndCombining) {
  EXPECT_EQ(DisplayWidth("abc"), 3U);
  EXPECT_EQ(DisplayWidth("模型"), 4U);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1U);
  EXPECT_EQ(DisplayWidth("\xF0\x9F\x98\x80"), 2U);
  EXPECT_EQ(DisplayWidth("\xFF"), 1U);
}

}  // namespace
}  // namespace planner::plannerctl
