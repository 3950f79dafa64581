#pragma once

#include <string>
#include <thread>
#include <vector>

#include "core/base/mutex.h"

namespace planner::storage {

/// Stands between a client and a PostgreSQL, both on Unix sockets, and cuts a connection just when a COMMIT is on its way.
class CuttingProxy {
 public:
  enum class Cut {
    kNever,
    kBeforeCommit,  ///< The server never sees it.
    kAfterCommit,   ///< The server has done it, and its answer is lost.
  };
  /// `server_folder` has the server's socket; `folder` gets the proxy's.
  CuttingProxy(std::string server_folder, const std::string& folder);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  /// At the next COMMIT, once.
  void CutNext(Cut cut);
  /// New connections are closed at once.
  void Refuse(bool refuses);

 private:
  void Accept();
  void Serve(int client);
  /// What is to be done with bytes of a client.
  Cut CutOf(const std::string& bytes);

  const std::string server_folder_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};  ///< A pipe whose end ends everything.
  base::Mutex mutex_;
  Cut next_ ABSL_GUARDED_BY(mutex_) = Cut::kNever;
  bool refuses_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread acceptor_;
  std::vector<std::thread> servants_;  ///< The acceptor's.
};

}  // namespace planner::storage
