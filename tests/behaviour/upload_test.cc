#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "core/base/sha256.h"
#include "services/app/app.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Service = v1::EstimationService::Stub;

std::string DigestOf(const std::string& content) {
  base::Sha256 sum;
  sum.Update(content);
  return sum.Finish();
}

class UploadBehaviour : public PlannerTest {
 protected:
  /// A stream of an announcement and a content in pieces of `piece` bytes.
  grpc::Status Upload(const std::string& sha256, int64_t size_bytes, const std::string& content, size_t piece = 1 << 20) {
    grpc::ClientContext context;
    const auto stub = v1::EstimationService::NewStub(planner_.channel);
    const auto writer = stub->UploadModel(&context, &response_);
    v1::UploadModelRequest message;
    message.mutable_announcement()->set_sha256(sha256);
    message.mutable_announcement()->set_size_bytes(size_bytes);
    bool open = writer->Write(message);
    for (size_t at = 0; open && at < content.size(); at += piece) {
      message.set_data(content.substr(at, piece));
      open = writer->Write(message);
    }
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Upload(const std::string& content) {
    return Upload(DigestOf(content), static_cast<int64_t>(content.size()), content);
  }
  /// What the store has, files of uploads at work too.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    const std::filesystem::path folder = folder_ / "state/models";
    if (!std::filesystem::exists(folder)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
    return names;
  }
  std::string ModelText(const std::string& content) const {
    return "model { uploaded_file { sha256: '" + DigestOf(content) + "' } } ";
  }

  v1::UploadModelResponse response_;
};

TEST_P(UploadBehaviour, AFileIsStoredUnderItsContent) {
  const std::string content(3'000'000, 'x');
  const grpc::Status status = Upload(content);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.file().sha256(), DigestOf(content));
  EXPECT_EQ(response_.size_bytes(), 3'000'000);
  EXPECT_GT(response_.expire_time().seconds(), 0);
  EXPECT_THAT(Files(), ::testing::ElementsAre(DigestOf(content)));
  // It is known, also after a restart; that it is no model is for its counter to say, if there is one.
  for (int i = 0; i < 2; ++i) {
    const grpc::Status count = Fail(&Service::Count, ModelText(content) + "batch_shape { inputs { dimensions: [1, 3] } }");
    EXPECT_FALSE(count.ok());
    EXPECT_NE(ErrorInfoOf(count).reason(), "MODEL_NOT_UPLOADED");
    Restart();
  }
}

TEST_P(UploadBehaviour, AFileThatIsThereIsNotSentAgain) {
  ASSERT_TRUE(Upload("content").ok());
  // Not a byte of it.
  EXPECT_TRUE(Upload(DigestOf("content"), 7, "").ok());
  EXPECT_EQ(response_.file().sha256(), DigestOf("content"));
  EXPECT_THAT(Files(), SizeIs(1));
}

TEST_P(UploadBehaviour, AnUnknownDigestSaysSo) {
  const grpc::Status count = Fail(&Service::Count, ModelText("nothing"));
  EXPECT_EQ(count.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ErrorInfoOf(count).reason(), "MODEL_NOT_UPLOADED");
  EXPECT_THAT(count.error_message(), HasSubstr("model.uploaded_file"));
  const grpc::Status estimate = Fail(&Service::Estimate, ModelText("nothing") + "data_set { sample_count: 1000 }");
  EXPECT_EQ(ErrorInfoOf(estimate).reason(), "MODEL_NOT_UPLOADED");
  EXPECT_EQ(FieldOf(Fail(&Service::Count, "model { uploaded_file { sha256: '../../etc/passwd' } }")),
            "model.uploaded_file.sha256");
}

TEST_P(UploadBehaviour, WhatIsNotAsAnnouncedIsRefusedAndGone) {
  const std::string content = "content";
  EXPECT_EQ(FieldOf(Upload(DigestOf("other"), 7, content)), "announcement.sha256");
  EXPECT_EQ(FieldOf(Upload(DigestOf(content), 8, content)), "announcement.size_bytes");
  EXPECT_EQ(FieldOf(Upload(DigestOf(content), 6, content)), "data");
  EXPECT_EQ(FieldOf(Upload(DigestOf(content), 0, content)), "announcement.size_bytes");
  EXPECT_EQ(FieldOf(Upload(DigestOf(content), -7, content)), "announcement.size_bytes");
  EXPECT_EQ(FieldOf(Upload("../" + DigestOf(content), 7, content)), "announcement.sha256");
  EXPECT_EQ(FieldOf(Upload(DigestOf(content), 2 << 20, std::string(2 << 20, 'x'), 2 << 20)), "data");
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_P(UploadBehaviour, LargerThanAllowedIsRefused) {
  const grpc::Status status = Upload(DigestOf("x"), int64_t{1} << 40, "x");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "MODEL_FILE_TOO_LARGE");
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_P(UploadBehaviour, MessagesOutOfOrderAreRefused) {
  const auto stub = v1::EstimationService::NewStub(planner_.channel);
  v1::UploadModelRequest data;
  data.set_data("content");
  {
    grpc::ClientContext context;
    const auto writer = stub->UploadModel(&context, &response_);
    writer->Write(data);
    EXPECT_EQ(FieldOf(writer->Finish()), "announcement");
  }
  {
    grpc::ClientContext context;
    const auto writer = stub->UploadModel(&context, &response_);
    writer->WritesDone();
    EXPECT_EQ(FieldOf(writer->Finish()), "announcement");
  }
  {
    grpc::ClientContext context;
    const auto writer = stub->UploadModel(&context, &response_);
    v1::UploadModelRequest announcement;
    announcement.mutable_announcement()->set_sha256(DigestOf("x"));
    announcement.mutable_announcement()->set_size_bytes(1);
    writer->Write(announcement);
    writer->Write(announcement);
    EXPECT_EQ(FieldOf(writer->Finish()), "announcement");
  }
  EXPECT_THAT(Files(), IsEmpty());
}

/// Streams that are begun and not ended, up to the last that is let in.
TEST_P(UploadBehaviour, ClientsThatVanishLeaveNothingAndHoldNobodyUp) {
  const auto stub = v1::EstimationService::NewStub(planner_.channel);
  constexpr int kUploads = 8;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadModelRequest>>> writers;
  std::vector<v1::UploadModelResponse> responses(kUploads);
  for (int i = 0; i < kUploads; ++i) {
    writers.push_back(stub->UploadModel(contexts.emplace_back(std::make_unique<grpc::ClientContext>()).get(),
                                        &responses[static_cast<size_t>(i)]));
    v1::UploadModelRequest message;
    message.mutable_announcement()->set_sha256(DigestOf(std::to_string(i)));
    message.mutable_announcement()->set_size_bytes(100);
    writers.back()->Write(message);
    message.set_data("half");
    writers.back()->Write(message);
    // The server sends its metadata with the answer; that it has begun shows in its folder.
    while (static_cast<int>(Files().size()) <= i) std::this_thread::yield();
  }
  EXPECT_EQ(ErrorInfoOf(Upload("one more")).reason(), "TOO_MANY_UPLOADS");
  EXPECT_EQ(Ask(&Service::Count, "model { preset: 'resnet50' } depth: 0").parameter_count(), 25557032);
  for (const auto& context : contexts) context->TryCancel();
  for (const auto& writer : writers) EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (!Files().empty()) std::this_thread::yield();
  // A place is free before its file is gone.
  EXPECT_TRUE(Upload("one more").ok());
}

TEST_P(UploadBehaviour, InputsAreChecked) {
  ASSERT_TRUE(Upload("content").ok());
  const auto field = [&](const std::string& inputs) {
    return FieldOf(Fail(&Service::Count, ModelText("content") + "batch_shape { " + inputs + " }"));
  };
  EXPECT_EQ(field("inputs { dimensions: [1, 3] dtype: 'float31' }"), "batch_shape.inputs[0].dtype");
  EXPECT_EQ(field("inputs { dimensions: [1, 0] }"), "batch_shape.inputs[0].dimensions[1]");
  EXPECT_EQ(field("inputs { dimensions: [1] name: 'a' } inputs { dimensions: [1] name: 'a' }"), "batch_shape.inputs[1].name");
  EXPECT_EQ(FieldOf(Fail(&Service::Estimate,
                         ModelText("content") + "data_set { sample_count: 9 inputs { dimensions: [1] dtype: 'x' } }")),
            "data_set.inputs[0].dtype");
}

/// A planner of this process that gives a call a tenth of a second.
TEST(UploadDeadlineTest, AClientThatSaysNothingIsNotWaitedFor) {
  ScratchFolder folder;
  const auto app = app::App::Create({.state_dir = folder / "state", .max_call = absl::Milliseconds(100)});
  ASSERT_TRUE(app.ok()) << app.status();
  const auto stub = v1::EstimationService::NewStub((*app)->InProcessChannel());
  for (const bool announced : {false, true}) {
    grpc::ClientContext context;
    v1::UploadModelResponse response;
    const auto writer = stub->UploadModel(&context, &response);
    v1::UploadModelRequest message;
    message.mutable_announcement()->set_sha256(DigestOf("content"));
    message.mutable_announcement()->set_size_bytes(7);
    if (announced) writer->Write(message);
    const grpc::Status status = writer->Finish();  // Neither data nor an end were sent.
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << announced << status.error_message();
    EXPECT_TRUE(!std::filesystem::exists(folder / "state/models") || std::filesystem::is_empty(folder / "state/models"));
  }
}

/// Limits of the configuration.
TEST(UploadLimitsTest, TheQuotaIsTheConfigurations) {
  ScratchFolder folder;
  const std::string config = folder.Write("c.textproto", "model_files { max_file_bytes: 60 quota_bytes: 100 }");
  DaemonProcess daemon({"--config", config, "--listen", "127.0.0.1:0", "--metrics_listen", "off", "--state_dir", folder / "state"});
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const auto channel = grpc::CreateChannel(daemon.Addresses("grpc").at(0), grpc::InsecureChannelCredentials());
  const auto stub = v1::EstimationService::NewStub(channel);
  const auto upload = [&](const std::string& content) {
    grpc::ClientContext context;
    v1::UploadModelResponse response;
    const auto writer = stub->UploadModel(&context, &response);
    v1::UploadModelRequest message;
    message.mutable_announcement()->set_sha256(DigestOf(content));
    message.mutable_announcement()->set_size_bytes(static_cast<int64_t>(content.size()));
    writer->Write(message);
    message.set_data(content);
    writer->Write(message);
    writer->WritesDone();
    return writer->Finish();
  };
  EXPECT_EQ(ErrorInfoOf(upload(std::string(61, 'x'))).reason(), "MODEL_FILE_TOO_LARGE");
  EXPECT_TRUE(upload(std::string(60, 'a')).ok());
  EXPECT_TRUE(upload(std::string(60, 'b')).ok());
  // The first one made room.
  EXPECT_FALSE(std::filesystem::exists(folder / ("state/models/" + DigestOf(std::string(60, 'a')))));
  EXPECT_TRUE(std::filesystem::exists(folder / ("state/models/" + DigestOf(std::string(60, 'b')))));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, UploadBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace planner::behaviour
