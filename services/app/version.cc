#include "services/app/app.h"

namespace planner::app {

std::string Version() { return PLANNER_VERSION; }

}  // namespace planner::app
