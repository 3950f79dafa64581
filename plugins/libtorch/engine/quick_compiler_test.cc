#include "plugins/libtorch/engine/quick_compiler.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/jit/frontend/source_range.h>

#include "plugins/libtorch/engine/error_reports.h"

namespace planner::libtorch {
namespace {

#if TORCH_VERSION_MAJOR < 2
/// The file that has what the dynamic linker finds by `symbol`, as it does for libtorch.
std::string FileOf(const char* symbol) {
  Dl_info found = {};
  void* const address = dlsym(RTLD_DEFAULT, symbol);
  return address != nullptr && dladdr(address, &found) != 0 ? found.dli_fname : "";
}

TEST(QuickCompilerTest, LibtorchFindsOurFunctions) {
  UseQuickCompiler();
  UseErrorReportsWithoutCopies();
  Dl_info self = {};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&FileOf), &self), 0);
  for (const char* symbol : {
           "_ZN5torch3jit20runNooptPassPipelineERSt10shared_ptrINS0_5GraphEE",
           "_ZN5torch3jit16runCleanupPassesERSt10shared_ptrINS0_5GraphEE",
           "_ZNK5torch3jit14StringCordView4findERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEm",
           "_ZN5torch3jit11ErrorReportC1ENS0_11SourceRangeE",
           "_ZN5torch3jit11ErrorReport9CallStackC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS0_"
           "11SourceRangeE",
           "_ZN5torch3jit11ErrorReport9CallStackD1Ev",
           "_ZN5torch3jit11ErrorReport9CallStack20update_pending_rangeERKNS0_11SourceRangeE",
       }) {
    EXPECT_EQ(FileOf(symbol), self.dli_fname) << symbol;
  }
}
#endif

TEST(QuickCompilerTest, TextIsFoundWhereStringsFindIt) {
  const std::string text = "def f(x):\n  return x\n\ndef g(x):\n  return f(x)\n";
  const auto whole = std::make_shared<std::string>(text);
  const torch::jit::StringCordView one({*whole}, {whole});
  const torch::jit::StringCordView two({c10::string_view(*whole).substr(0, 13), c10::string_view(*whole).substr(13)},
                                       {whole});
  for (const std::string token : {"\n", "d", "def", "return f", "\n\n", "missing", "?", "(x)\n"}) {
    for (size_t start = 0; start < text.size(); ++start) {
      EXPECT_EQ(one.find(token, start), text.find(token, start)) << token << " from " << start;
      EXPECT_EQ(two.find(token, start), text.find(token, start)) << token << " from " << start;
    }
  }
}

}  // namespace
}  // namespace planner::libtorch
