#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "clients/plannerctl/session.h"

namespace planner::plannerctl {

/// Prints an answer as Session::Print does, and writes the page that `--html` names; none where `path` is empty. With "-" the page is on
/// standard output, in place of the table. INVALID_ARGUMENT for "-" where the answer is to be JSON or YAML; else as WritePage.
absl::Status PrintWithPage(const google::protobuf::Message& answer, const std::function<void(std::ostream&)>& table, const std::string& path,
                           const std::function<std::string()>& page, Session& session);

}  // namespace planner::plannerctl
