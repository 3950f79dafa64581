#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "services/feed/change_feed.h"

namespace planner::server {

/// What one client is told of something that changes: the feed calls one side of it, the client's stream takes messages at its own
/// pace on the other. What the client has not taken yet is kept as one latest state, however long it takes.
template <typename Message>
class Watch : public feed::Subscriber {
 public:
  /// Before it is subscribed: called whenever Take may have something new, from any thread, outside of all locks of the watch.
  void OnReady(std::function<void()> ready) { ready_ = std::move(ready); }

  /// The next message, into `message`. False: there is none now. Does not block: it is called from gRPC's own threads.
  virtual bool Take(Message& message) = 0;
  /// Why no message will come any more; asked when Take has none.
  virtual std::optional<absl::Status> end() = 0;

 protected:
  void Ready() const {
    if (ready_) ready_();
  }

 private:
  std::function<void()> ready_;
};

}  // namespace planner::server
