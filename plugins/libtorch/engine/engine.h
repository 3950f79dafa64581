#pragma once

#include "planner/plugin/v1/counter_plugin.pb.h"

namespace planner::libtorch {

/// Does what happens only once in a process (loading torch's tables, the first pass of its interpreter), so that forked workers
/// need not. Leaves no other thread running, and has read no model. Call it once, before the first fork.
void WarmUp();

/// Counts the TorchScript module in the open, seekable file `fd` on the meta device: no weight becomes a tensor with storage.
/// A model that cannot be counted is an answer with a CountError. May crash, hang or grow without bound on a hostile file:
/// only for a sandboxed worker that is thrown away afterwards.
plugin::v1::CountResponse CountModule(int fd, const plugin::v1::CountRequest& request);

}  // namespace planner::libtorch
