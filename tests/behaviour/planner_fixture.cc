#include "tests/behaviour/planner_fixture.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>
#include <vector>

#include "google/rpc/status.pb.h"
#include "services/app/app.h"
#include "tests/behaviour/daemon_process.h"

namespace planner::behaviour {
namespace {

template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  Detail detail;
  for (const google::protobuf::Any& any : details.details()) {
    if (any.UnpackTo(&detail)) break;
  }
  return detail;
}

}  // namespace

Place InProcess() {
  return {"InProcess", [](const std::string& state_dir) -> RunningPlanner {
            auto app = app::App::Create({.state_dir = state_dir});
            EXPECT_TRUE(app.ok()) << app.status();
            std::shared_ptr<app::App> shared = *std::move(app);
            return {shared, shared->InProcessChannel()};
          }};
}

Place Spawned() {
  return {"Spawned", [](const std::string& state_dir) -> RunningPlanner {
            auto daemon = std::make_shared<DaemonProcess>(std::vector<std::string>{
                "--listen", "127.0.0.1:0", "--metrics_listen", "off", "--state_dir", state_dir});
            EXPECT_TRUE(daemon->ready()) << daemon->output();
            if (!daemon->ready()) return {};
            return {daemon, grpc::CreateChannel(daemon->Addresses("grpc").at(0), grpc::InsecureChannelCredentials())};
          }};
}

google::rpc::BadRequest BadRequestOf(const grpc::Status& status) { return DetailOf<google::rpc::BadRequest>(status); }

google::rpc::ErrorInfo ErrorInfoOf(const grpc::Status& status) { return DetailOf<google::rpc::ErrorInfo>(status); }

std::string FieldOf(const grpc::Status& status) {
  const google::rpc::BadRequest details = BadRequestOf(status);
  return details.field_violations().empty() ? "" : details.field_violations(0).field();
}

void PlannerTest::Restart() {
  planner_.channel.reset();
  planner_.owner.reset();
  planner_ = GetParam().start(folder_ / "state");
}

std::string PlannerTest::AskBytes(const std::string& method, const std::string& request) {
  grpc::GenericStub stub(planner_.channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  // Unary and bidirectional methods look the same on the wire when one message goes each way.
  const auto call = stub.PrepareCall(&context, method, &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto finished = [&] { return queue.Next(&tag, &ok) && ok; };
  call->StartCall(nullptr);
  if (!finished()) return "";
  const grpc::Slice slice(request);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  if (!finished()) return "";
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  if (!finished()) return "";
  call->WritesDone(nullptr);
  finished();
  grpc::Status status;
  call->Finish(&status, nullptr);
  finished();
  grpc::Slice bytes;
  if (!status.ok() || !answer.DumpToSingleSlice(&bytes).ok()) return "";
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

}  // namespace planner::behaviour
