#pragma once

#include <sys/types.h>

#include <atomic>

#include "planner/plugin/v1/counter_plugin.pb.h"
#include "plugins/libtorch/worker/job.h"

namespace planner::libtorch {

/// What counts a module: plugins/libtorch/engine, or a fake of it in tests.
struct Engine {
  void (*warm_up)();
  plugin::v1::CountResponse (*count)(int model, const plugin::v1::CountRequest& request);
};

/// Shared by a worker and the zygote that waits for it. The worker may write anything to it.
struct WorkerState {
  std::atomic<uint32_t> stage = 0;
  std::atomic<uint32_t> out_of_memory = 0;
};

/// The whole life of a worker, in a process that was just forked: lets go of its parent's descriptors, waits for a packet on `socket`
/// (a JobHeader, a CountRequest; the model's file, the pipe for the answer), enters the sandbox, checks the file, counts, answers,
/// ends. Ends at once where `socket` is closed. Never returns.
[[noreturn]] void AwaitJob(const Engine& engine, int socket, uid_t user, pid_t zygote, WorkerState& state);

/// In a process that was just forked: writes what the sandbox misses here to `reply`, one measure a line. Never returns.
[[noreturn]] void RunProbe(int reply, uid_t user, pid_t zygote);

}  // namespace planner::libtorch
