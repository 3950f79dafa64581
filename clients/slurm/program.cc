#include "clients/slurm/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/clock.h"
#include "fmt/format.h"

extern char** environ;

namespace planner::slurm {
namespace {

constexpr size_t kKeptError = 1000;

struct Pipe {
  int reader = -1, writer = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    reader = ends[0];
    writer = ends[1];
  }
  ~Pipe() {
    if (reader >= 0) close(reader);
    CloseWriter();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void CloseWriter() {
    if (writer >= 0) close(writer);
    writer = -1;
  }
};

/// Reads what there is; false at the end.
bool ReadSome(int fd, std::string& text, size_t most) {
  char buffer[64 << 10];
  const ssize_t count = read(fd, buffer, sizeof(buffer));
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  text.append(buffer, std::min(static_cast<size_t>(count), most > text.size() ? most - text.size() : 0));
  return count > 0;
}

}  // namespace

absl::StatusOr<std::string> OutputOf(const std::vector<std::string>& command, size_t most_bytes,
                                     absl::Duration within) {
  const absl::Time end = base::Clock::Real().Now() + within;
  Pipe out, err;
  if (out.reader < 0 || err.reader < 0) return absl::InternalError("no pipe can be made");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.writer, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.writer, STDERR_FILENO);
  std::vector<std::string> arguments = command;
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int spawned = posix_spawnp(&pid, command[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0)
    return absl::NotFoundError(fmt::format("{} cannot be started: {}", command[0], std::strerror(spawned)));
  out.CloseWriter();
  err.CloseWriter();
  std::string output, error;
  bool out_open = true, err_open = true;
  absl::Status status;
  while ((out_open || err_open) && status.ok()) {
    const absl::Duration left = end - base::Clock::Real().Now();
    if (left <= absl::ZeroDuration()) {
      status = absl::DeadlineExceededError(
          fmt::format("{} has not ended within {} s", command[0], absl::ToInt64Seconds(within)));
      break;
    }
    pollfd waited[2] = {{.fd = out_open ? out.reader : -1, .events = POLLIN, .revents = 0},
                        {.fd = err_open ? err.reader : -1, .events = POLLIN, .revents = 0}};
    if (poll(waited, 2, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) <= 0) continue;
    if (waited[0].revents != 0) out_open = ReadSome(out.reader, output, most_bytes + 1);
    if (waited[1].revents != 0) err_open = ReadSome(err.reader, error, kKeptError);
    if (output.size() > most_bytes)
      status = absl::ResourceExhaustedError(fmt::format("{} says more than {} bytes", command[0], most_bytes));
  }
  if (!status.ok()) kill(pid, SIGKILL);
  int code = 0;
  while (waitpid(pid, &code, 0) < 0 && errno == EINTR) {
  }
  if (!status.ok()) return status;
  if (!WIFEXITED(code) || WEXITSTATUS(code) != 0) {
    while (!error.empty() && (error.back() == '\n' || error.back() == ' ')) error.pop_back();
    return absl::UnavailableError(
        fmt::format("{} has failed: {}", command[0], error.empty() ? "it says nothing" : error));
  }
  return output;
}

}  // namespace planner::slurm
