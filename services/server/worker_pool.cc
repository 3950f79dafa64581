#include "services/server/worker_pool.h"

#include <utility>

namespace planner::server {

WorkerPool::~WorkerPool() {
  std::vector<std::thread> threads;
  {
    base::MutexLock lock(mutex_);
    ending_ = true;
    threads.swap(threads_);
  }
  changed_.WakeAll();
  for (std::thread& thread : threads) thread.join();
}

void WorkerPool::Run(std::function<void()> work) {
  {
    base::MutexLock lock(mutex_);
    queue_.push_back(std::move(work));
    if (static_cast<int>(threads_.size()) < thread_count_) threads_.emplace_back([this] { WorkUntilTheEnd(); });
  }
  changed_.WakeOne();
}

void WorkerPool::WorkUntilTheEnd() {
  while (true) {
    std::function<void()> work;
    {
      base::MutexLock lock(mutex_);
      while (queue_.empty() && !ending_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace planner::server
