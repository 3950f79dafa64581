#include "tests/behaviour/daemon_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

extern char** environ;

namespace planner::behaviour {

DaemonProcess::DaemonProcess(const std::vector<std::string>& flags) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  output_fd_ = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<std::string> arguments = {PLANNERD_PATH};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (posix_spawn(&pid_, PLANNERD_PATH, &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  while (!ready_ && Read()) ready_ = output_.find("event=ready") != std::string::npos;
}

DaemonProcess::~DaemonProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    Wait();
  }
  if (output_fd_ >= 0) close(output_fd_);
}

std::vector<std::string> DaemonProcess::Addresses(const std::string& service) const {
  const std::string before = "event=listening service=" + service + " address=";
  std::vector<std::string> addresses;
  std::istringstream lines(output_);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(before);
    if (at != std::string::npos) addresses.push_back(line.substr(at + before.size()));
  }
  return addresses;
}

void DaemonProcess::Terminate() const {
  if (pid_ > 0) kill(pid_, SIGTERM);
}

int DaemonProcess::Wait() {
  if (pid_ <= 0) return -1;
  while (Read()) {
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool DaemonProcess::Read() {
  char buffer[4096];
  const ssize_t count = read(output_fd_, buffer, sizeof(buffer));
  if (count <= 0) return false;
  output_.append(buffer, static_cast<size_t>(count));
  return true;
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0) {
    const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
    if (write(socket, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t count = 0; (count = read(socket, buffer, sizeof(buffer))) > 0;) {
        answer.append(buffer, static_cast<size_t>(count));
      }
    }
  }
  close(socket);
  return answer;
}

}  // namespace planner::behaviour
