#include "services/config/pem_file.h"

#include <fstream>
#include <sstream>

#include "fmt/format.h"

namespace planner::config {

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) return absl::FailedPreconditionError(fmt::format("cannot be read: file=\"{}\"", path));
  return text.str();
}

}  // namespace planner::config
