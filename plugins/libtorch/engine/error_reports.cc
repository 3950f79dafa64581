#include "plugins/libtorch/engine/error_reports.h"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/jit/frontend/error_report.h>

#if TORCH_VERSION_MAJOR < 2
namespace torch::jit {
namespace {

/// The functions that are being compiled, the outermost first.
thread_local std::vector<Call> compiling;

/// Why the innermost of `calls` is being compiled.
std::string Reasons(const std::vector<Call>& calls) {
  std::ostringstream text;
  for (size_t i = calls.size(); i-- > 1;) {
    text << "'" << calls[i].fn_name << "' is being compiled since it was called from '" << calls[i - 1].fn_name
         << "'\n";
    calls[i - 1].caller_range.highlight(text);
  }
  return text.str();
}

}  // namespace

ErrorReport::ErrorReport(SourceRange range) : context(SourceRange()), error_stack(compiling) {
  static_cast<SourceRange&>(context) = std::move(range);
}

ErrorReport::ErrorReport(const ErrorReport& other)
    : std::exception(other),
      ss(other.ss.str()),
      context(other.context),
      the_message(other.the_message),
      error_stack(other.error_stack) {}

const char* ErrorReport::what() const noexcept {
  std::ostringstream text;
  text << "\n" << ss.str() << ":\n";
  context.highlight(text);
  text << Reasons(error_stack);
  the_message = text.str();
  return the_message.c_str();
}

std::string ErrorReport::current_call_stack() { return Reasons(compiling); }

ErrorReport::CallStack::CallStack(const std::string& name, const SourceRange& range) {
  compiling.push_back({name, range});
}

ErrorReport::CallStack::~CallStack() { compiling.pop_back(); }

void ErrorReport::CallStack::update_pending_range(const SourceRange& range) { compiling.back().caller_range = range; }

}  // namespace torch::jit
#endif

namespace planner::libtorch {

void UseErrorReportsWithoutCopies() {}

}  // namespace planner::libtorch
