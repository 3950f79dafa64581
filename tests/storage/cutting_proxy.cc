#include "tests/storage/cutting_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace planner::storage {
namespace {

sockaddr_un AddressIn(const std::string& folder) {
  const std::string path = folder + "/.s.PGSQL.5432";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy_n(path.begin(), std::min(path.size(), sizeof(address.sun_path) - 1), address.sun_path);
  return address;
}

int NewSocket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

/// What has come; empty: the end.
std::string Receive(int from) {
  char buffer[64 << 10];
  const ssize_t count = recv(from, buffer, sizeof(buffer), 0);
  return count <= 0 ? "" : std::string(buffer, static_cast<size_t>(count));
}

bool Send(int to, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return true;
}

}  // namespace

CuttingProxy::CuttingProxy(std::string server_folder, const std::string& folder)
    : server_folder_(std::move(server_folder)) {
  listener_ = NewSocket();
  const sockaddr_un address = AddressIn(folder);
  constexpr int kQueue = 16;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_, kQueue) != 0 || pipe(stop_) != 0) {
    return;
  }
  acceptor_ = std::thread([this] { Accept(); });
}

CuttingProxy::~CuttingProxy() {
  close(stop_[1]);
  if (acceptor_.joinable()) acceptor_.join();
  close(listener_);
  close(stop_[0]);
}

void CuttingProxy::CutNext(Cut cut) {
  base::MutexLock lock(mutex_);
  next_ = cut;
}

void CuttingProxy::Refuse(bool refuses) {
  base::MutexLock lock(mutex_);
  refuses_ = refuses;
}

CuttingProxy::Cut CuttingProxy::CutOf(const std::string& bytes) {
  base::MutexLock lock(mutex_);
  if (bytes.find("COMMIT") == std::string::npos || next_ == Cut::kNever) return Cut::kNever;
  return std::exchange(next_, Cut::kNever);
}

void CuttingProxy::Accept() {
  while (true) {
    pollfd ends[] = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    if (poll(ends, 2, -1) < 0) continue;
    if (ends[1].revents != 0) break;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    base::MutexLock lock(mutex_);
    if (refuses_) {
      close(client);
    } else {
      servants_.emplace_back([this, client] { Serve(client); });
    }
  }
  for (std::thread& servant : servants_) servant.join();
}

void CuttingProxy::Serve(int client) {
  const int server = NewSocket();
  const sockaddr_un address = AddressIn(server_folder_);
  bool goes_on = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  while (goes_on) {
    pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    if (poll(ends, 3, -1) < 0) continue;
    goes_on = ends[2].revents == 0;
    if (goes_on && ends[0].revents != 0) {
      const std::string bytes = Receive(client);
      const Cut cut = CutOf(bytes);
      goes_on = !bytes.empty() && cut != Cut::kBeforeCommit && Send(server, bytes);
      if (cut == Cut::kAfterCommit) {
        Receive(server);
        goes_on = false;
      }
    }
    if (goes_on && ends[1].revents != 0) {
      const std::string bytes = Receive(server);
      goes_on = !bytes.empty() && Send(client, bytes);
    }
  }
  close(server);
  close(client);
}

}  // namespace planner::storage
