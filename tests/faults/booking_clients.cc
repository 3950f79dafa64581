#include "tests/faults/booking_clients.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <deque>
#include <map>

#include "core/base/clock.h"

namespace planner::faults {
namespace {

constexpr int64_t kHour = 3600;
/// Of which hours are booked: so few that most of what is asked for is not free.
constexpr int64_t kHours = 24;
/// Reservations that a client keeps.
constexpr size_t kKept = 3;
/// Of one attempt: a replica that waits for its database says so by then.
constexpr absl::Duration kAttempt = absl::Seconds(10);
/// Before a call is made again.
constexpr absl::Duration kPause = absl::Milliseconds(20);

absl::Time Now() { return base::Clock::Real().Now(); }

bool IsAnswer(grpc::StatusCode code) {
  return code != grpc::StatusCode::UNAVAILABLE && code != grpc::StatusCode::DEADLINE_EXCEEDED &&
         code != grpc::StatusCode::RESOURCE_EXHAUSTED;
}

}  // namespace

BookingClients::~BookingClients() {
  {
    base::MutexLock lock(mutex_);
    gives_up_ = true;
  }
  Stop();
}

void BookingClients::Start(int count) {
  for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { Run(i); });
}

void BookingClients::Stop() {
  {
    base::MutexLock lock(mutex_);
    stops_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool BookingClients::WaitForAnswers(int64_t count, absl::Duration at_most) {
  const absl::Time end = Now() + at_most;
  base::MutexLock lock(mutex_);
  const int64_t goal = answers_ + count;
  while (answers_ < goal && Now() < end) changed_.WaitFor(mutex_, end - Now());
  return answers_ >= goal;
}

void BookingClients::CountFromNow() {
  base::MutexLock lock(mutex_);
  counts_from_ = Now();
}

template <typename Request, typename Response>
grpc::Status BookingClients::Call(size_t& replica,
                                  grpc::Status (v1::ClusterService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                                   Response*),
                                  const Request& request, Response& response) {
  const absl::Time asked = Now();
  while (true) {
    v1::ClusterService::Stub stub(replicas_[replica % replicas_.size()]);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(Now() + kAttempt));
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (IsAnswer(status.error_code())) {
      Answered(asked, status);
      return status;
    }
    ++replica;
    base::MutexLock lock(mutex_);
    ++repetitions_;
    if (gives_up_) return status;
    changed_.WaitFor(mutex_, kPause);
  }
}

void BookingClients::Answered(absl::Time asked, const grpc::Status& status) {
  base::MutexLock lock(mutex_);
  ++answers_;
  longest_wait_ = std::max(longest_wait_, Now() - std::max(asked, counts_from_));
  const bool is_refusal = status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
  if (is_refusal) ++refusals_;
  // A deletion that is made again may find that it has been done.
  if (!status.ok() && !is_refusal && status.error_code() != grpc::StatusCode::NOT_FOUND) {
    errors_.push_back(std::to_string(status.error_code()) + ": " + status.error_message());
  }
  changed_.WakeAll();
}

void BookingClients::Run(int number) {
  std::mt19937_64 random(static_cast<uint64_t>(number));
  const auto any = [&](int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); };
  std::deque<size_t> mine;  // Indices of holds_.
  size_t replica = static_cast<size_t>(number);
  for (int round = 0;; ++round) {
    {
      base::MutexLock lock(mutex_);
      if (stops_) return;
    }
    if (mine.size() > kKept) {
      v1::DeleteReservationRequest request;
      {
        base::MutexLock lock(mutex_);
        request.set_name(holds_[mine.front()].name);
        holds_[mine.front()].given_back = Now();
      }
      google::protobuf::Empty response;
      Call(replica, &v1::ClusterService::Stub::DeleteReservation, request, response);
      mine.pop_front();
      continue;
    }
    Hold hold;
    hold.pool = site_.pools[static_cast<size_t>(any(0, static_cast<int64_t>(site_.pools.size()) - 1))];
    hold.gpus = std::min(site_.gpus_per_node, int64_t{1} << any(0, 3));
    hold.start = (site_.first_hour + any(0, kHours - 1)) * kHour;
    hold.end = hold.start + any(1, 6) * kHour;
    v1::CreateReservationRequest request;
    request.set_parent(site_.cluster);
    request.set_request_id(std::to_string(number) + "-" + std::to_string(round));
    v1::Reservation& reservation = *request.mutable_reservation();
    reservation.set_node_pool(hold.pool);
    reservation.set_gpu_count(hold.gpus);
    reservation.mutable_start_time()->set_seconds(hold.start);
    reservation.mutable_end_time()->set_seconds(hold.end);
    v1::Reservation made;
    if (!Call(replica, &v1::ClusterService::Stub::CreateReservation, request, made).ok()) continue;
    hold.acknowledged = Now();
    hold.name = made.name();
    base::MutexLock lock(mutex_);
    mine.push_back(holds_.size());
    holds_.push_back(std::move(hold));
  }
}

std::string DoubleBooking(const std::vector<Hold>& holds, int64_t gpus) {
  std::vector<const Hold*> by_time;
  for (const Hold& hold : holds) by_time.push_back(&hold);
  std::sort(by_time.begin(), by_time.end(),
            [](const Hold* a, const Hold* b) { return a->acknowledged < b->acknowledged; });
  // The most is relied on just when something was acknowledged, and used just when something starts.
  std::map<std::string, std::vector<const Hold*>> relied_on;  // By pool.
  for (const Hold* hold : by_time) {
    std::vector<const Hold*>& now = relied_on[hold->pool];
    std::erase_if(now, [&](const Hold* one) { return one->given_back <= hold->acknowledged; });
    now.push_back(hold);
    for (const Hold* at : now) {
      int64_t used = 0;
      for (const Hold* one : now) used += one->start <= at->start && at->start < one->end ? one->gpus : 0;
      if (used > gpus)
        return hold->pool + " at " + std::to_string(at->start) + ": " + std::to_string(used) + " GPUs, with " +
               hold->name;
    }
  }
  return "";
}

}  // namespace planner::faults
