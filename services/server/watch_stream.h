#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/mutex.h"
#include "services/feed/change_feed.h"
#include "services/server/live_streams.h"
#include "services/server/rpc.h"
#include "services/server/watch.h"

namespace planner::server {

/// Sends what a watch has to its client, one message at a time, in gRPC's callback API: a client that reads slowly, or has vanished, holds
/// its place and two messages, and no thread.
template <typename Message>
class WatchStream final : public grpc::ServerWriteReactor<Message>,
                          public LiveStream,
                          public std::enable_shared_from_this<WatchStream<Message>> {
 public:
  /// The reactor owns itself. All must outlive the server's streams.
  static grpc::ServerWriteReactor<Message>* Start(std::string_view method, grpc::CallbackServerContext& context,
                                                  std::shared_ptr<Watch<Message>> watch, feed::ChangeFeed& feed,
                                                  LiveStreams& streams, RpcRunner& rpc) {
    const auto stream = std::make_shared<WatchStream>(method, context, std::move(watch), feed, streams, rpc);
    stream->self_ = stream;
    if (const absl::Status status = streams.Add(stream); !status.ok()) {
      stream->EndSoon(status);
    } else {
      stream->watch_->OnReady([weak = stream->weak_from_this()] {
        if (const auto self = weak.lock()) self->Send();
      });
      feed.Subscribe(stream->watch_);
    }
    return stream.get();
  }

  /// For Start alone.
  WatchStream(std::string_view method, grpc::CallbackServerContext& context, std::shared_ptr<Watch<Message>> watch,
              feed::ChangeFeed& feed, LiveStreams& streams, RpcRunner& rpc)
      : method_(method),
        context_(context),
        watch_(std::move(watch)),
        feed_(feed),
        streams_(streams),
        rpc_(rpc),
        started_(rpc.Begin(context)) {}

  void OnWriteDone(bool ok) override {
    {
      base::MutexLock lock(mutex_);
      is_writing_ = false;
      message_.Clear();
      if (!ok) end_ = Gone();
    }
    Send();
  }

  void OnCancel() override { EndSoon(Gone()); }

  void OnDone() override {
    feed_.Unsubscribe(watch_.get());
    self_.reset();
  }

  void EndSoon(const absl::Status& status) override {
    {
      base::MutexLock lock(mutex_);
      if (!end_.has_value()) end_ = status;
    }
    Send();
  }

  void BreakOff() override {
    base::MutexLock lock(mutex_);
    if (is_writing_) context_.TryCancel();
  }

 private:
  static absl::Status Gone() { return absl::CancelledError("the client has gone"); }

  /// Sends what there is, unless something is being sent.
  void Send() {
    base::MutexLock lock(mutex_);
    if (is_writing_ || is_finished_) return;
    if (!end_.has_value() && watch_->Take(message_)) {
      is_writing_ = true;
      this->StartWrite(&message_);
      return;
    }
    if (!end_.has_value()) end_ = watch_->end();
    if (!end_.has_value()) return;
    is_finished_ = true;
    streams_.Remove(this);
    this->Finish(rpc_.End(method_, started_, *end_));
  }

  const std::string_view method_;
  grpc::CallbackServerContext& context_;
  const std::shared_ptr<Watch<Message>> watch_;
  feed::ChangeFeed& feed_;
  LiveStreams& streams_;
  RpcRunner& rpc_;
  const RpcRunner::Started started_;
  std::shared_ptr<WatchStream> self_;  ///< Until gRPC is done with it.

  base::Mutex mutex_;
  Message message_;  ///< gRPC's while it is being sent; else under the lock.
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
