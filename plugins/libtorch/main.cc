#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

#include "plugins/libtorch/worker/torch_counter.h"
#include "plugins/sdk/counter_plugin.h"

// planner-counter-libtorch [--require_all_measures]: the libtorch counter, started by plannerd.
int main(int argc, char** argv) {
  planner::libtorch::TorchCounterOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--require_all_measures") {
      options.require_all_measures = true;
    } else {
      std::fprintf(stderr, "unknown argument: %s\n", argv[i]);
      return 2;
    }
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    std::fprintf(stderr, "/proc/self/exe: %s\n", error.message().c_str());
    return 1;
  }
  options.zygote.program = self.parent_path() / "lib" / "planner-torch-zygote";
  options.zygote.max_workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  planner::libtorch::TorchCounter counter(options);
  return planner::plugin::Serve(counter);
}
