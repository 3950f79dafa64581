#include "plugins/libtorch/engine/quick_compiler.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/jit/frontend/ir_emitter.h>
#include <torch/csrc/jit/frontend/source_range.h>
#include <torch/csrc/jit/passes/inline_forked_closures.h>
#include <torch/csrc/jit/passes/lift_closures.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>

#if TORCH_VERSION_MAJOR < 2
namespace torch::jit {

void runNooptPassPipeline(std::shared_ptr<Graph>& /*graph*/) {}

void runCleanupPasses(std::shared_ptr<Graph>& graph) {
  liftClosures(graph);
  inlineForkedClosures(graph);
}

/// The first place of `token` at or after `start`, npos if there is none; 0 for an empty token, as torch's own says.
size_t StringCordView::find(const std::string& token, size_t start) const {
  if (token.empty()) return 0;
  const size_t all = size();
  if (start > all || all - start < token.size()) return std::string::npos;
  // Texts in several pieces are Python's, which no archive has.
  if (pieces_.size() != 1) return str().find(token, start);
  const char* const text = pieces_.front().data();
  if (token.size() == 1) {
    const void* const found = std::memchr(text + start, token.front(), all - start);
    return found == nullptr ? std::string::npos : static_cast<size_t>(static_cast<const char*>(found) - text);
  }
  const char* const found = std::search(text + start, text + all, token.begin(), token.end());
  return found == text + all ? std::string::npos : static_cast<size_t>(found - text);
}

}  // namespace torch::jit
#endif

namespace planner::libtorch {

void UseQuickCompiler() {}

}  // namespace planner::libtorch
