#pragma once

#include "plugins/libtorch/worker/worker.h"

namespace planner::libtorch {

/// The zygote's whole life: warms the engine up, finds out which protective measures are missing here, says so in a first packet
/// (one measure a line, after the word "ready"), then forks a worker for each job that comes over the SOCK_SEQPACKET `socket`,
/// at most `max_workers` at once, and reports how each ended. Ends, and all workers with it, when the other side closes.
/// Has one thread, reads no model, keeps nothing of one job for the next. Returns the exit code.
int RunZygote(int socket, int max_workers, const Engine& engine);

}  // namespace planner::libtorch
