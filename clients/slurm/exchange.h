#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"

namespace planner::slurm {

struct ExchangeOptions {
  std::string path;    ///< Of the Unix socket.
  mode_t mode = 0600;  ///< Of the same: who may ask.
  absl::Duration read_timeout =
      absl::Milliseconds(250);  ///< For a question to be there, and for an answer to be taken.
  int most_connections = 16;    ///< At once; more are closed unanswered.
};

/// Answers questions on a Unix socket: one message (wire.h) each way, and the connection ends. Whoever is slow, says too much or leaves
/// costs only his own connection.
class Exchange {
 public:
  /// The answer to the text of a question, which is at most kMaxMessageBytes and may be anything. Called by several threads at once.
  using Answer = std::function<std::string(const std::string& question)>;

  /// Listens from here on. FAILED_PRECONDITION: somebody else answers at the path, or it is no socket; INVALID_ARGUMENT: it is too long.
  static absl::StatusOr<std::unique_ptr<Exchange>> Listen(ExchangeOptions options, Answer answer);
  /// Takes no more questions, waits for the answers that are under way, removes the socket.
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const std::string& path() const { return options_.path; }

 private:
  Exchange(ExchangeOptions options, Answer answer, int listening, int wake_reader, int wake_writer);
  void Accept();
  void Serve(int connection);

  const ExchangeOptions options_;
  const Answer answer_;
  const int listening_;
  const int wake_reader_, wake_writer_;  ///< A pipe: what is written ends the accepting.
  base::Mutex mutex_;
  base::Condition changed_;
  int open_connections_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread accepting_;
};

/// Asks at a Unix socket and gives back what is answered. UNAVAILABLE: nobody is there; DEADLINE_EXCEEDED: no answer `within` that time;
/// RESOURCE_EXHAUSTED: more than kMaxMessageBytes.
absl::StatusOr<std::string> Ask(const std::string& path, const std::string& question, absl::Duration within);

}  // namespace planner::slurm
