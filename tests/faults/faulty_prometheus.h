#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "core/base/condition.h"
#include "core/base/mutex.h"

namespace planner::faults {

/// A server on a free port of loopback that plays a Prometheus with dcgm-exporter's metrics of nodes n1 and n2, eight GPUs each, or one that
/// misbehaves. Each connection has a thread, and ends with its answer.
class FaultyPrometheus {
 public:
  enum class Mode {
    kGood,         ///< 75 % busy, 0.5 tensor, 0.25 memory, 40 GiB, 500 W, of now.
    kSilent,       ///< Takes the question and says nothing.
    kDripping,     ///< A byte of an endless answer every 20 ms.
    kRedirecting,  ///< To itself, at a path that it counts.
    kFailing,      ///< Status 500.
    kNan,          ///< NaN, infinities.
    kHuge,         ///< A gigabyte of series.
    kNonsense,     ///< HTML.
    kTruncated,    ///< The connection ends in the middle of the answer.
    kScalar,       ///< Another type of result.
    kOld,          ///< Samples of an hour ago.
    kFuture,       ///< Samples of the next hour.
  };

  FaultyPrometheus();
  ~FaultyPrometheus();
  FaultyPrometheus(const FaultyPrometheus&) = delete;
  FaultyPrometheus& operator=(const FaultyPrometheus&) = delete;

  /// "http://127.0.0.1:…"
  std::string url() const;
  void Play(Mode mode);
  /// Questions since the last Play.
  int64_t question_count() const { return question_count_; }
  /// Of the place that it redirects to.
  int64_t followed_count() const { return followed_count_; }
  /// Bytes of bodies that were taken from it since the last Play.
  int64_t byte_count() const { return byte_count_; }
  /// Whether the last question had these credentials: "Basic …", "Bearer …"; empty: none.
  std::string authorization() const;

 private:
  void Accept();
  void Serve(int connection);
  /// Whether all was taken.
  bool Send(int connection, const std::string& text);
  void SendBody(int connection, const std::string& body, const std::string& status = "200 OK", const std::string& header = "");
  /// Whether there is time: false, it ends.
  bool WaitMilliseconds(int milliseconds);

  int listener_ = -1;
  int port_ = 0;
  std::atomic<Mode> mode_ = Mode::kGood;
  std::atomic<int64_t> question_count_ = 0, followed_count_ = 0, byte_count_ = 0;
  mutable base::Mutex mutex_;
  base::Condition ending_;
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::string authorization_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> connections_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread accepting_;
};

}  // namespace planner::faults
