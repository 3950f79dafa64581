#pragma once

#include <google/protobuf/text_format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "tests/behaviour/scratch_folder.h"

namespace planner::behaviour {

/// A planner somewhere: what it needs to live, and the way to it.
struct RunningPlanner {
  std::shared_ptr<void> owner;
  std::shared_ptr<grpc::Channel> channel;
};

/// A way to run one with its state in a folder.
struct Place {
  std::string name;
  std::function<RunningPlanner(const std::string& state_dir)> start;
};
inline void PrintTo(const Place& place, std::ostream* out) { *out << place.name; }

/// In this process; and a spawned plannerd over TCP.
Place InProcess();
Place Spawned();

/// A message of its text format; a wrong text fails the test.
template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

/// What the details of an error carry.
google::rpc::BadRequest BadRequestOf(const grpc::Status& status);
google::rpc::ErrorInfo ErrorInfoOf(const grpc::Status& status);
/// The first field violation's field; empty if there is none.
std::string FieldOf(const grpc::Status& status);

/// Every case runs in every place, with a fresh state.
class PlannerTest : public ::testing::TestWithParam<Place> {
 protected:
  PlannerTest() { Restart(); }

  /// Ends the planner and starts another one on the same state.
  void Restart();

  template <typename Stub, typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    return (Stub(planner_.channel).*method)(&context, request, &response);
  }
  /// The answer; an error fails the test.
  template <typename Stub, typename Request, typename Response>
  Response Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
               const std::string& request) {
    Response response;
    const grpc::Status status = Call(method, Parse<Request>(request), response);
    EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message() << " for " << request;
    return response;
  }
  /// The error; OK if there is none.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Fail(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const std::string& request) {
    Response response;
    return Call(method, Parse<Request>(request), response);
  }
  /// A call of any method with a request's and an answer's bytes.
  std::string AskBytes(const std::string& method, const std::string& request);

  ScratchFolder folder_;
  RunningPlanner planner_;
  std::chrono::system_clock::time_point deadline_ = std::chrono::system_clock::time_point::max();
};

}  // namespace planner::behaviour
