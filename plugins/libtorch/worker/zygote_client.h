#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "planner/plugin/v1/counter_plugin.pb.h"
#include "plugins/libtorch/worker/gate.h"
#include "plugins/libtorch/worker/job.h"

namespace planner::libtorch {

struct ZygoteClientOptions {
  /// The zygote's program.
  std::string program;
  /// Workers at once; more jobs wait.
  int max_workers = 2;
  /// For a zygote to become ready: loading torch takes it half a second, on a busy machine more.
  absl::Duration start_timeout = absl::Seconds(60);
};

/// What a worker answered, and how it ended.
struct WorkerOutcome {
  /// A ReplyHeader and the serialized CountResponse, if the worker came that far.
  std::string reply;
  /// The reply was longer than was allowed, and is cut.
  bool too_long = false;
  JobReport report;
};

/// Keeps a zygote process running, and has it run jobs. Thread-safe.
class ZygoteClient {
 public:
  ZygoteClient(ZygoteClientOptions options, const base::Clock& clock = base::Clock::Real());
  /// Stops the zygote and all workers, and waits for it.
  ~ZygoteClient();
  ZygoteClient(const ZygoteClient&) = delete;
  ZygoteClient& operator=(const ZygoteClient&) = delete;

  /// Runs one job in a worker of its own, which is killed at `deadline`. `job.nanoseconds` is filled in.
  /// DEADLINE_EXCEEDED: no worker was free, or no zygote ready, by then. UNAVAILABLE: the zygote ended; another one is being
  /// started. CANCELLED: `cancelled` said so; the worker, if there was one, is being killed.
  absl::StatusOr<WorkerOutcome> Run(int model, JobHeader job, const plugin::v1::CountRequest& request,
                                    absl::Time deadline, const base::Cancellation& cancelled = {});

  /// Waits until a zygote is ready, and says which protective measures are missing here. UNAVAILABLE if none is by `deadline`.
  absl::StatusOr<std::vector<std::string>> MissingMeasures(absl::Time deadline);

  /// Zygotes that were started after the first one.
  int restarts() const;
  /// The zygote's process, -1 while there is none. For tests.
  pid_t zygote() const;

 private:
  /// Waits for a place of `gate`, and takes it or not. DEADLINE_EXCEEDED with the text `late`; CANCELLED.
  absl::Status Await(const Gate& gate, bool take, absl::Time deadline, const base::Cancellation& cancelled,
                     const char* late) const;
  void Supervise();
  void StartOne();
  absl::StatusOr<WorkerOutcome> Collect(Descriptor reply, int report, const JobHeader& job, absl::Time deadline,
                                        const base::Cancellation& cancelled);

  const ZygoteClientOptions options_;
  const base::Clock& clock_;
  const Gate ready_{0};
  const Gate stopping_{0};
  const Gate workers_;

  mutable base::Mutex mutex_;
  std::shared_ptr<Descriptor> socket_ ABSL_GUARDED_BY(mutex_);
  pid_t pid_ ABSL_GUARDED_BY(mutex_) = -1;
  int starts_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> missing_measures_ ABSL_GUARDED_BY(mutex_);

  std::thread supervisor_;
};

}  // namespace planner::libtorch
