#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clients/cpp/client.h"
#include "clients/plannerctl/connection.h"
#include "clients/plannerctl/run.h"

namespace {

std::optional<std::string> Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

/// https://no-color.org: any value but the empty one turns colours and bold off.
bool ShowsBold() {
  return isatty(STDOUT_FILENO) == 1 && Variable("NO_COLOR").value_or("").empty() &&
         Variable("TERM").value_or("dumb") != "dumb";
}

/// POLLERR is what the writing end of a pipe or socket says once its other end is closed.
bool ReaderLeft() {
  pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that has seen enough (plannerctl … | head -1) ends the writing, not the program.
  std::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);
  const planner::plannerctl::Environment environment = {
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .bold = ShowsBold(),
      .progress = isatty(STDERR_FILENO) == 1 && Variable("TERM").value_or("dumb") != "dumb",
      .clock = planner::base::Clock::Real(),
      .variable = Variable,
      .connect = planner::plannerctl::OpenConnection,
      .reader_left = ReaderLeft,
      .wait = planner::cpp::World::Real().wait,
  };
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(planner::plannerctl::Run(arguments, environment));
}
