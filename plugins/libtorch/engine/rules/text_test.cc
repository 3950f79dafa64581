#include <gtest/gtest.h>

#include "plugins/libtorch/engine/rules/class_source.h"
#include "plugins/libtorch/engine/rules/error_text.h"

namespace planner::libtorch {
namespace {

TEST(ErrorTextTest, TorchsOwnSentence) {
  EXPECT_EQ(ErrorText("The following operation failed in the TorchScript interpreter.\nTraceback\nRuntimeError: shapes cannot be "
                      "multiplied (1x3 and 4x5)\n"),
            "shapes cannot be multiplied (1x3 and 4x5)");
  EXPECT_EQ(ErrorText("bad\nException raised from f at g.cpp:1"), "bad");
  EXPECT_EQ(ErrorText("\nUnknown builtin op: a::b.\n"), "Unknown builtin op: a::b.");
}

TEST(ErrorTextTest, OnlyUtf8) {
  EXPECT_EQ(ValidText("a\xff" "b"), "a?b");
  EXPECT_EQ(ValidText("\xc3\xa4"), "\xc3\xa4");
  EXPECT_EQ(ValidText("\xed\xa0\x80"), "???");
  EXPECT_EQ(ValidText("\xc3"), "?");
}

TEST(ClassSourceTest, ConstantsGoAndLinesStay) {
  EXPECT_EQ(WithoutConstants("class A(Module):\n  x : Final[int] = 64\n  w : Tensor\n  def f(self):\n    y : Final[int] = 1\n"),
            "class A(Module):\n\n  w : Tensor\n  def f(self):\n    y : Final[int] = 1\n");
}

TEST(ClassSourceTest, OtherLinesThatLookAlikeStay) {
  const char* lines = "  __annotations__[\"0\"] = x\n  z = \" : Final[\"\n  t : Final[Tuple[int]] = (\n";
  EXPECT_EQ(WithoutConstants(lines), lines);
}

}  // namespace
}  // namespace planner::libtorch
