#pragma once

#include "services/collector/http_client.h"

namespace planner::app {

/// plannerd: reads flags and configuration, serves until SIGTERM or SIGINT, drains. The exit code: 0; 1 if
/// it cannot run (a port in use, a state folder that cannot be written, a database that is away); 2 for wrong flags or a wrong
/// configuration. `http` is what Prometheuses are asked with. With `--backup` or `--restore` it moves the records and exits.
int Main(int argc, const char* const* argv, collector::HttpClient& http);

}  // namespace planner::app
