#include "clients/plannerctl/connection.h"

#include <memory>
#include <utility>

#include "clients/cpp/channel.h"
#include "core/base/status_macros.h"
#include "services/app/app.h"

namespace planner::plannerctl {

absl::StatusOr<Connection> OpenConnection(const std::string& server, const std::string& state_dir, const std::string& postgresql) {
  Connection connection;
  if (!server.empty()) {
    ASSIGN_OR_RETURN(connection.channel, cpp::Connect(server));
    return connection;
  }
  app::AppOptions options;
  options.state_dir = state_dir.empty() ? app::DefaultStateDir() : state_dir;
  options.postgresql = postgresql;
  ASSIGN_OR_RETURN(std::shared_ptr<app::App> app, app::App::Create(std::move(options)));
  connection.channel = app->InProcessChannel();
  connection.owner = std::move(app);
  return connection;
}

}  // namespace planner::plannerctl
