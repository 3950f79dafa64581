#include "plugins/libtorch/engine/rules/class_twins.h"

#include <gtest/gtest.h>

#include <map>

namespace planner::libtorch {
namespace {

std::string Module(const std::string& name, const std::string& body) {
  return "class " + name + "(Module):\n  " + body + "\n";
}

class ClassTwinsTest : public ::testing::Test {
 protected:
  std::map<std::string, std::string> files_;
  ClassTwins twins_{[this](const std::string& qualifier) -> std::optional<std::string> {
    const auto found = files_.find(qualifier);
    if (found == files_.end()) return std::nullopt;
    return found->second;
  }};
};

TEST_F(ClassTwinsTest, ClassesThatDifferInNameAloneAreOne) {
  files_["__torch__.net.Conv"] = "unused";
  files_["__torch__.net.___torch_mangle_1"] =
      Module("Conv", "stride : Final[int] = 1\n  def f(self: __torch__.net.___torch_mangle_1.Conv)");
  files_["__torch__.net.___torch_mangle_2"] = Module("Conv", "def f(self: __torch__.net.___torch_mangle_2.Conv)");
  files_["__torch__.net.___torch_mangle_3"] = Module("Conv", "def g(self: __torch__.net.___torch_mangle_3.Conv)");
  files_["__torch__.net.___torch_mangle_4"] = Module("Pool", "def f(self: __torch__.net.___torch_mangle_4.Pool)");
  EXPECT_EQ(twins_.First("__torch__.net.___torch_mangle_1.Conv"), "__torch__.net.___torch_mangle_1.Conv");
  EXPECT_EQ(twins_.First("__torch__.net.___torch_mangle_2.Conv"), "__torch__.net.___torch_mangle_1.Conv");
  EXPECT_EQ(twins_.First("__torch__.net.___torch_mangle_3.Conv"), "__torch__.net.___torch_mangle_3.Conv");
  EXPECT_EQ(twins_.First("__torch__.net.___torch_mangle_4.Pool"), "__torch__.net.___torch_mangle_4.Pool");
}

TEST_F(ClassTwinsTest, ParentsOfTwinsAreTwins) {
  files_["__torch__.a.___torch_mangle_1"] = Module("A", "weight : Tensor");
  files_["__torch__.a.___torch_mangle_2"] = Module("A", "weight : Tensor");
  files_["__torch__.b.___torch_mangle_3"] = Module("B", "child : __torch__.a.___torch_mangle_1.A");
  files_["__torch__.b.___torch_mangle_4"] = Module("B", "child : __torch__.a.___torch_mangle_2.A");
  EXPECT_EQ(twins_.First("__torch__.b.___torch_mangle_3.B"), "__torch__.b.___torch_mangle_3.B");
  EXPECT_EQ(twins_.First("__torch__.b.___torch_mangle_4.B"), "__torch__.b.___torch_mangle_3.B");
  EXPECT_EQ(twins_.Source("__torch__.b.___torch_mangle_3"), files_["__torch__.b.___torch_mangle_3"]);
}

TEST_F(ClassTwinsTest, SourcesNameFirstTwins) {
  files_["__torch__.a.___torch_mangle_1"] = Module("A", "weight : Tensor");
  files_["__torch__.a.___torch_mangle_2"] = Module("A", "weight : Tensor");
  files_["__torch__"] = Module("Net", "x : __torch__.a.___torch_mangle_1.A\n  y : __torch__.a.___torch_mangle_2.A");
  EXPECT_EQ(twins_.Source("__torch__"),
            Module("Net", "x : __torch__.a.___torch_mangle_1.A\n  y : __torch__.a.___torch_mangle_1.A"));
}

TEST_F(ClassTwinsTest, OnlyModulesOfTheirOwnFileAreCompared) {
  // Two classes in a file, a tuple, a name that no file defines, one that stands in the wrong file.
  files_["__torch__.a.___torch_mangle_1"] = Module("A", "weight : Tensor") + Module("B", "weight : Tensor");
  files_["__torch__.a.___torch_mangle_2"] = "class A(NamedTuple):\n  x : Tensor\n";
  files_["__torch__.a.___torch_mangle_3"] = "class A(NamedTuple):\n  x : Tensor\n";
  files_["__torch__.a.___torch_mangle_4"] = Module("A", "weight : Tensor");
  for (const char* name :
       {"__torch__.a.___torch_mangle_1.B", "__torch__.a.___torch_mangle_3.A", "__torch__.a.___torch_mangle_9.A",
        "__torch__.a.___torch_mangle_4.B", "", "a", ".___torch_mangle_"}) {
    EXPECT_EQ(twins_.First(name), name);
  }
}

TEST_F(ClassTwinsTest, CirclesAndDeepNestingEnd) {
  files_["__torch__.a.___torch_mangle_1"] = Module("A", "child : __torch__.a.___torch_mangle_2.A");
  files_["__torch__.a.___torch_mangle_2"] = Module("A", "child : __torch__.a.___torch_mangle_1.A");
  EXPECT_NE(twins_.First("__torch__.a.___torch_mangle_1.A"), "");
  for (int i = 10; i < 20'000; ++i) {
    files_["__torch__.d.___torch_mangle_" + std::to_string(i)] =
        Module("D", "child : __torch__.d.___torch_mangle_" + std::to_string(i + 1) + ".D");
  }
  EXPECT_EQ(twins_.First("__torch__.d.___torch_mangle_10.D"), "__torch__.d.___torch_mangle_10.D");
}

}  // namespace
}  // namespace planner::libtorch
