#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::faults {

/// What a client was told that it has: GPUs of a pool, from when to when, and between which moments it could rely on that.
struct Hold {
  std::string name;  ///< Of the reservation.
  std::string pool;
  int64_t gpus = 0;
  int64_t start = 0;  ///< Seconds since 1970.
  int64_t end = 0;
  absl::Time acknowledged;
  absl::Time given_back = absl::InfiniteFuture();  ///< When it began to ask for that.
};

/// Clients that fight for the same few GPUs: each books some at random, keeps a few reservations and gives the oldest back. A call that
/// gets no answer is made again with the same request id, at the next replica, until it is answered: so at the end there is nothing
/// that a client does not know of its own reservations.
class BookingClients {
 public:
  struct Site {
    std::string cluster;
    std::vector<std::string> pools;  ///< Of one node each.
    int64_t gpus_per_node = 8;
    int64_t first_hour = 0;  ///< From then on they book; hours since 1970.
  };
  BookingClients(std::vector<std::shared_ptr<grpc::Channel>> replicas, Site site)
      : replicas_(std::move(replicas)), site_(std::move(site)) {}

  /// Gives up calls that are not answered.
  ~BookingClients();
  BookingClients(const BookingClients&) = delete;
  BookingClients& operator=(const BookingClients&) = delete;

  void Start(int count);
  /// Every call that is made is answered first.
  void Stop();

  /// Whether `count` more calls than now are answered within `at_most`.
  bool WaitForAnswers(int64_t count, absl::Duration at_most);
  /// Until now nobody could be answered: the time until an answer counts from here for calls in flight.
  void CountFromNow();

  // After Stop.
  const std::vector<Hold>& holds() const { return holds_; }
  int64_t refusals() const { return refusals_; }
  /// Calls that were made again.
  int64_t repetitions() const { return repetitions_; }
  absl::Duration longest_wait() const { return longest_wait_; }
  /// Answers that there should not be.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  void Run(int number);
  /// Makes a call until it is answered by something else than that there is no answer.
  template <typename Request, typename Response>
  grpc::Status Call(size_t& replica,
                    grpc::Status (v1::ClusterService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response);
  void Answered(absl::Time asked, const grpc::Status& status);

  const std::vector<std::shared_ptr<grpc::Channel>> replicas_;
  const Site site_;
  std::vector<std::thread> threads_;

  base::Mutex mutex_;
  base::Condition changed_;
  bool stops_ ABSL_GUARDED_BY(mutex_) = false;
  bool gives_up_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time counts_from_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int64_t answers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Hold> holds_;
  int64_t refusals_ = 0;
  int64_t repetitions_ = 0;
  absl::Duration longest_wait_;
  std::vector<std::string> errors_;
};

/// The first moment of the calendar at which more GPUs of a pool are relied on at once than there are, in words; empty: there is none.
std::string DoubleBooking(const std::vector<Hold>& holds, int64_t gpus);

}  // namespace planner::faults
