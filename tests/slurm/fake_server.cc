#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "tests/slurm/slurm_cluster.h"

namespace planner::slurm {

struct FakeServer::State {
  std::string path;
  int listening = -1;
  int wake[2] = {-1, -1};
  std::thread thread;

  void Run(Answer answer) {
    struct Waiting {
      int fd;
      absl::Time due;
    };
    std::vector<Waiting> connections;
    while (true) {
      std::vector<pollfd> waited = {{.fd = wake[0], .events = POLLIN, .revents = 0},
                                    {.fd = listening, .events = POLLIN, .revents = 0}};
      for (const Waiting& one : connections) {
        waited.push_back(
            {.fd = one.fd, .events = static_cast<short>(answer == Answer::kFlood ? POLLOUT : POLLIN), .revents = 0});
      }
      poll(waited.data(), waited.size(), answer == Answer::kLate ? 100 : -1);
      if (waited[0].revents != 0) break;
      const absl::Time now = base::Clock::Real().Now();
      for (size_t i = 0; i < connections.size();) {
        Waiting& one = connections[i];
        const short happened = waited[i + 2].revents;
        bool ends = (happened & (POLLERR | POLLHUP)) != 0;
        char buffer[4096];
        if (!ends && (happened & POLLIN) != 0) ends = read(one.fd, buffer, sizeof(buffer)) <= 0;
        const std::string text = TextOf(answer);
        const bool speaks = (answer == Answer::kGarbage && (happened & POLLIN) != 0) ||
                            (answer == Answer::kFlood && (happened & POLLOUT) != 0) ||
                            (answer == Answer::kLate && now >= one.due);
        if (!ends && speaks) {
          ends = send(one.fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 || answer != Answer::kFlood;
        }
        if (ends) {
          close(one.fd);
          connections.erase(connections.begin() + static_cast<ptrdiff_t>(i));
          waited.erase(waited.begin() + static_cast<ptrdiff_t>(i) + 2);
        } else {
          ++i;
        }
      }
      if ((waited[1].revents & POLLIN) != 0) {
        const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) connections.push_back({fd, now + absl::Seconds(5)});
      }
    }
    for (const Waiting& one : connections) close(one.fd);
  }

  static std::string TextOf(Answer answer) {
    switch (answer) {
      case Answer::kGarbage:
        return "HTTP/1.1 200 OK\r\n\r\naction=refuse\n$(touch pwned)\xff\xfe\n";
      case Answer::kFlood:
        return std::string(4096, 'x') + "\n";
      default:
        return "planner-slurm 1\naction=refuse\nmessage=too%20late\nend\n";
    }
  }
};

FakeServer::FakeServer(const std::string& path, Answer answer) : state_(std::make_unique<State>()) {
  state_->path = path;
  unlink(path.c_str());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  state_->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(state_->listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(state_->listening, 16) != 0 || pipe(state_->wake) != 0) {
    return;
  }
  state_->thread = std::thread([this, answer] { state_->Run(answer); });
}

FakeServer::~FakeServer() {
  [[maybe_unused]] const ssize_t written = write(state_->wake[1], "x", 1);
  if (state_->thread.joinable()) state_->thread.join();
  for (const int fd : {state_->listening, state_->wake[0], state_->wake[1]}) {
    if (fd >= 0) close(fd);
  }
  unlink(state_->path.c_str());
}

}  // namespace planner::slurm
