#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace planner::plannerctl {

/// A page of one file: nothing of it comes from elsewhere, and no script runs in it, so that it can be mailed or kept
/// beside the job. It follows the reader's light or dark scheme. `subject` is a user's text; `kind` and `body` are HTML.
std::string HtmlPage(std::string_view subject, std::string_view kind, std::string_view body);

/// `text` with the five characters that mean something to HTML replaced, and without control characters.
std::string EscapeHtml(std::string_view text);

/// Writes what `--html` names. UNKNOWN with the path and why.
absl::Status WritePage(const std::string& path, std::string_view page);

}  // namespace planner::plannerctl
