#pragma once

namespace planner::libtorch {

/// Sets up malloc for processes that are forked, count one model and end: freed memory stays theirs, small blocks are not kept apart to be
/// merged later. For once in a process.
void SetUpHeap();

/// Leaves the heap with room that forked processes fill, in pages of 2 MiB where the kernel gives such: a worker that fills 20 MiB
/// is stopped by 10 page faults instead of 5,000. Once, when this process has done what it is to do before it forks.
void MakeRoomOnHeap();

}  // namespace planner::libtorch
