#include "clients/plannerctl/page_output.h"

#include "clients/plannerctl/html.h"

namespace planner::plannerctl {

absl::Status PrintWithPage(const google::protobuf::Message& answer, const std::function<void(std::ostream&)>& table, const std::string& path,
                           const std::function<std::string()>& page, Session& session) {
  if (path == "-") {
    if (session.format() != OutputFormat::kTable) {
      return absl::InvalidArgumentError("--html: - is standard output, where the answer is with -o json and -o yaml");
    }
    session.out() << page();
    return absl::OkStatus();
  }
  session.Print(answer, table);
  return path.empty() ? absl::OkStatus() : WritePage(path, page());
}

}  // namespace planner::plannerctl
