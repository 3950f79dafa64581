#include <cstdlib>

#include "services/app/app.h"

namespace planner::app {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // Nobody changes the environment once main runs.
  return value == nullptr ? "" : value;
}

}  // namespace

std::string DefaultStateDir() {
  if (const std::string systemd = Variable("STATE_DIRECTORY"); !systemd.empty()) return systemd;
  if (const std::string xdg = Variable("XDG_STATE_HOME"); !xdg.empty()) return xdg + "/planner";
  if (const std::string home = Variable("HOME"); !home.empty()) return home + "/.local/state/planner";
  return "";
}

}  // namespace planner::app
