#include "clients/plannerctl/connection.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "clients/cpp/channel.h"
#include "core/base/status_macros.h"
#include "services/app/app.h"

namespace planner::plannerctl {

absl::StatusOr<Connection> OpenConnection(const GlobalFlags& flags) {
  Connection connection;
  if (!flags.server.empty()) {
    const std::vector<std::string> addresses = absl::StrSplit(flags.server, ',');
    for (const std::string& address : addresses) {
      ASSIGN_OR_RETURN(connection.channels.emplace_back(), cpp::Connect(address, flags.tls));
    }
    return connection;
  }
  app::AppOptions options;
  options.state_dir = flags.state_dir.empty() ? app::DefaultStateDir() : flags.state_dir;
  ASSIGN_OR_RETURN(std::shared_ptr<app::App> app, app::App::Create(std::move(options)));
  connection.channels = {app->InProcessChannel()};
  connection.owner = std::move(app);
  return connection;
}

}  // namespace planner::plannerctl
