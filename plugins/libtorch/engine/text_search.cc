#include "plugins/libtorch/engine/text_search.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/jit/frontend/source_range.h>

#if TORCH_VERSION_MAJOR < 2
namespace torch::jit {

/// The first place of `token` at or after `start`, npos if there is none; 0 for an empty token, as torch's own says.
size_t StringCordView::find(const std::string& token, size_t start) const {
  if (token.empty()) return 0;
  const size_t all = size();
  if (start > all || all - start < token.size()) return std::string::npos;
  if (pieces_.size() == 1) {
    const c10::string_view text = pieces_.front();
    const char* const begin = text.data() + start;
    const char* const end = text.data() + text.size();
    const char* const found = token.size() == 1
                                  ? static_cast<const char*>(std::memchr(begin, token.front(), all - start))
                                  : std::search(begin, end, token.begin(), token.end());
    return found == nullptr || found == end ? std::string::npos : static_cast<size_t>(found - text.data());
  }
  // Texts in several pieces are Python's, which no archive has.
  const std::string text = str();
  return text.find(token, start);
}

}  // namespace torch::jit
#endif

namespace planner::libtorch {

void UseQuickTextSearch() {}

}  // namespace planner::libtorch
