#include <gmock/gmock.h>
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>
#include <stdexcept>
#include <string>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "google/protobuf/text_format.h"
#include "services/server/clusters.h"
#include "services/server/fake_id_source.h"
#include "services/server/inventory.h"
#include "services/server/inventory_metrics.h"
#include "services/server/methods.h"
#include "services/server/model_uploads.h"
#include "services/server/models.h"
#include "services/server/paging.h"
#include "services/server/rpc.h"
#include "services/server/run_validator.h"

namespace planner::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

class RpcRunnerTest : public ::testing::Test {
 protected:
  using Answer = absl::StatusOr<v1::Cluster>;

  grpc::Status Run(const std::function<Answer(const Call&)>& handler) {
    grpc::ServerContext context;
    v1::Cluster response;
    return runner_.Run(method::kGetCluster, context, &response, handler);
  }

  base::FakeClock clock_;
  FakeIdSource ids_;
  prometheus::Registry registry_;
  telemetry::RpcProbe probe_{registry_, kMethods};
  RpcRunner runner_{{.max_call = absl::Seconds(30), .max_concurrent_calls = 2}, clock_, ids_, probe_, nullptr};
};

TEST_F(RpcRunnerTest, GivesADeadlineAndARequestId) {
  const grpc::Status status = Run([&](const Call& call) -> Answer {
    EXPECT_EQ(call.deadline, clock_.Now() + absl::Seconds(30));
    EXPECT_EQ(call.request_id, "00000001");
    return v1::Cluster();
  });
  EXPECT_TRUE(status.ok());
}

TEST_F(RpcRunnerTest, WorkThatEndsTooLateIsDeadlineExceeded) {
  const grpc::Status status = Run([&](const Call&) -> Answer {
    clock_.Advance(absl::Seconds(31));
    return v1::Cluster();
  });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(RpcRunnerTest, TheEndCancelsWhatIsAtWork) {
  runner_.EndCallsAt(clock_.Now() + absl::Seconds(5));
  const auto work = [&](absl::Duration duration) {
    return Run([&, duration](const Call& call) -> Answer {
      EXPECT_FALSE(base::IsCancelled(call.cancelled));
      clock_.Advance(duration);
      if (base::IsCancelled(call.cancelled)) return absl::CancelledError("stopped");
      return v1::Cluster();
    });
  };
  EXPECT_TRUE(work(absl::Seconds(4)).ok());
  const grpc::Status status = work(absl::Seconds(1));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the daemon ends"));
}

TEST_F(RpcRunnerTest, ExceptionsCostOneCall) {
  EXPECT_EQ(Run([](const Call&) -> Answer { throw std::runtime_error("lost"); }).error_code(),
            grpc::StatusCode::INTERNAL);
  EXPECT_EQ(Run([](const Call&) -> Answer { throw std::bad_alloc(); }).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Run([](const Call&) -> Answer { return v1::Cluster(); }).ok());
}

TEST_F(RpcRunnerTest, LogsCallsAndWhyTheyFailed) {
  std::ostringstream out;
  telemetry::Log log(clock_, std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  RpcRunner runner({}, clock_, ids_, probe_, &log);
  v1::Cluster response;
  grpc::ServerContext good;
  EXPECT_TRUE(
      runner.Run(method::kGetCluster, good, &response, [](const Call&) -> Answer { return v1::Cluster(); }).ok());
  grpc::ServerContext bad;
  EXPECT_FALSE(runner
                   .Run(method::kGetCluster, bad, &response,
                        [](const Call&) -> Answer { return absl::NotFoundError("gone\nlevel=error"); })
                   .ok());
  const std::string prefix = "ts=2026-01-01T00:00:00.000Z level=info event=rpc method=ClusterService/GetCluster code=";
  EXPECT_EQ(out.str(), prefix + "OK request_id=00000001 duration_seconds=0.000000\n" + prefix +
                           "NOT_FOUND request_id=00000002 duration_seconds=0.000000 message=\"gone\\nlevel=error\"\n");
}

TEST_F(RpcRunnerTest, TheSurplusIsRefused) {
  grpc::Status innermost;
  const grpc::Status outer = Run([&](const Call&) -> Answer {
    EXPECT_TRUE(Run([&](const Call&) -> Answer {
                  innermost = Run([](const Call&) -> Answer { return v1::Cluster(); });
                  return v1::Cluster();
                }).ok());
    return v1::Cluster();
  });
  EXPECT_TRUE(outer.ok());
  EXPECT_EQ(innermost.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(innermost.error_message(), HasSubstr("max_concurrent_calls=2"));
}

/// Counts the reads of records.
class CountingStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<store::Kind>& kinds, int64_t version) override {
    ++reads;
    return MemoryStore::ChangesSince(kinds, version);
  }
  int reads = 0;
};

class InventoryTest : public ::testing::Test {
 protected:
  void Create(const std::string& cluster) {
    const auto created = CreateCluster(Parse<v1::CreateClusterRequest>("cluster { " + cluster + " }"), gpus_, bookings_);
    ASSERT_TRUE(created.ok()) << created.status();
  }
  absl::StatusOr<cluster::Snapshot> Snapshot(const std::string& resources) {
    return inventory_.SnapshotFor(Parse<v1::Resources>(resources));
  }
  std::vector<std::string> Types(const std::string& resources) {
    std::vector<std::string> types;
    const absl::StatusOr<cluster::Snapshot> snapshot = Snapshot(resources);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    if (!snapshot.ok()) return types;
    for (const cluster::Pool& pool : snapshot->pools) types.push_back(pool.gpu.name);
    return types;
  }

  base::FakeClock clock_;
  CountingStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, clock_};
  Inventory inventory_{bookings_, gpus_, clock_};
};

TEST_F(InventoryTest, ReadsRecordsOnlyAfterAWrite) {
  Create("name: 'main' node_pools { gpu_type: 'h100' node_count: 1 }");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(inventory_.Current().ok());
  EXPECT_EQ(store_.reads, 1);
  Create("name: 'second'");
  EXPECT_THAT(**inventory_.Current(), SizeIs(2));
  EXPECT_EQ(store_.reads, 2);
}

TEST_F(InventoryTest, WithoutClustersTheUsualTypes) {
  EXPECT_THAT(Types(""), ElementsAre("A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"));
  EXPECT_FALSE(Snapshot("")->pools[0].node_count.has_value());
  EXPECT_EQ(Snapshot("")->time, clock_.Now());
}

TEST_F(InventoryTest, TypesOnceEachByTheirOwnNames) {
  EXPECT_THAT(Types("gpu_types: ['v100', 'h100', 'H100-SXM-80GB']"), ElementsAre("V100-SXM2-32GB", "H100-SXM-80GB"));
  const absl::Status status = Snapshot("gpu_types: ['h100', 'h1000']").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(base::DetailOf(status).field, "resources.gpu_types[1]");
}

TEST_F(InventoryTest, ClustersBoundTypesAndPrices) {
  Create(
      "name: 'a' currency: 'EUR' node_pools { gpu_type: 'h100' node_count: 1 price_per_gpu_hour: 2 }"
      "  node_pools { gpu_type: 'a100' node_count: 1 }");
  Create("name: 'b' node_pools { gpu_type: 'h200' node_count: 1 }");
  EXPECT_THAT(Types(""), ElementsAre("H100-SXM-80GB", "A100-SXM-80GB", "H200-SXM-141GB"));
  EXPECT_THAT(Types("cluster: 'clusters/b'"), ElementsAre("H200-SXM-141GB"));
  EXPECT_THAT(Types("cluster: 'a' gpu_types: 'a100'"), ElementsAre("A100-SXM-80GB"));
  const cluster::Snapshot priced = *Snapshot("cluster: 'a' price_per_gpu_hour: 9");
  EXPECT_EQ(priced.pools[0].price_per_gpu_hour, 2);
  EXPECT_EQ(priced.pools[1].price_per_gpu_hour, 9);
  EXPECT_EQ(priced.pools[1].currency, "EUR");
  EXPECT_THAT(priced.sources, ElementsAre(HasSubstr("clusters/a@")));
  EXPECT_EQ(base::DetailOf(Snapshot("cluster: 'c'").status()).reason, "UNKNOWN_CLUSTER");
  EXPECT_EQ(base::DetailOf(Snapshot("cluster: 'b' gpu_types: 'a100'").status()).reason, "NO_SUCH_POOL");
}

TEST_F(InventoryTest, MetricsAddUpPoolsOfOneType) {
  Create(
      "name: 'a' node_pools { name: 'x' gpu_type: 'h100' node_count: 2 } node_pools { name: 'y' gpu_type: 'h100' "
      "node_count: 1 "
      "gpus_per_node: 4 }");
  telemetry::Page page;
  InventoryMetrics(bookings_, clock_).Write(page);
  EXPECT_THAT(page.text(), HasSubstr(R"(planner_cluster_gpus{cluster="a",gpu_type="H100-SXM-80GB",state="total"} 20)"));
  EXPECT_THAT(page.text(), HasSubstr(R"(planner_cluster_gpus{cluster="a",gpu_type="H100-SXM-80GB",state="free"} 20)"));
}

TEST_F(InventoryTest, AnInventoryThatIsAppliedAgainIsConfirmed) {
  Create("name: 'a' node_pools { gpu_type: 'h100' node_count: 2 }");
  const auto timestamp = [&] {
    telemetry::Page page;
    InventoryMetrics(bookings_, clock_).Write(page);
    constexpr std::string_view kSeries = "planner_cluster_inventory_timestamp_seconds{cluster=\"a\"} ";
    const size_t at = page.text().find(kSeries);
    return at == std::string::npos ? 0 : std::stoll(page.text().substr(at + kSeries.size()));
  };
  EXPECT_EQ(timestamp(), absl::ToUnixSeconds(clock_.Now()));
  const absl::Time created = clock_.Now();
  clock_.Advance(absl::Hours(200));
  EXPECT_EQ(timestamp(), absl::ToUnixSeconds(created));
  const auto same = Parse<v1::UpdateClusterRequest>("cluster { name: 'a' node_pools { gpu_type: 'h100' node_count: 2 } }");
  auto checked = same;
  checked.set_validate_only(true);
  ASSERT_TRUE(UpdateCluster(checked, gpus_, bookings_).ok());
  EXPECT_EQ(timestamp(), absl::ToUnixSeconds(created));
  const auto applied = UpdateCluster(same, gpus_, bookings_);
  ASSERT_TRUE(applied.ok()) << applied.status();
  EXPECT_EQ(applied->update_time().seconds(), absl::ToUnixSeconds(created));
  EXPECT_EQ(timestamp(), absl::ToUnixSeconds(clock_.Now()));
}

TEST_F(InventoryTest, SeedingKeepsWhatIsThere) {
  ASSERT_TRUE(SeedCluster("clusters[0]", Parse<v1::Cluster>("name: 'a' description: 'file'"), gpus_, store_).ok());
  ASSERT_TRUE(SeedCluster("clusters[0]", Parse<v1::Cluster>("name: 'a' description: 'other'"), gpus_, store_).ok());
  EXPECT_EQ(GetCluster(Parse<v1::GetClusterRequest>("name: 'a'"), clock_.Now(), store_)->description(), "file");
}

class ResolveModelTest : public ::testing::Test {
 protected:
  /// The field of the error that resolving and expanding the model gives.
  std::string WrongField(const std::string& model, const model::BatchShape& shape = {}) {
    const auto description =
        ResolveModel(Parse<v1::Model>(model), {"the.batch", "the.seq_len", "the.inputs"}, catalog_, files_);
    return base::DetailOf(description.ok() ? description->expand(shape).status() : description.status()).field;
  }
  const catalog::ModelCatalog catalog_;
  base::FakeClock clock_;
  model_files::ModelFileStore files_{"", {}, clock_};
};

TEST_F(ResolveModelTest, SaysWhatItWasMadeFrom) {
  v1::Model text;
  text.set_hugging_face_config(std::string((*catalog_.Find("gpt2"))->source_text));
  const auto config = ResolveModel(text, {}, catalog_, files_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->source->format, model::SourceFormat::kHuggingFaceConfig);
  EXPECT_EQ(config->source->text, text.hugging_face_config());
  const auto preset = ResolveModel(Parse<v1::Model>("preset: 'resnet50'"), {}, catalog_, files_);
  EXPECT_EQ(preset->source->format, model::SourceFormat::kLayerGraph);
  // Made once for all calls.
  EXPECT_EQ(preset->source, ResolveModel(Parse<v1::Model>("preset: 'resnet50'"), {}, catalog_, files_)->source);
  v1::LayerGraph graph;
  EXPECT_TRUE(graph.ParseFromString(preset->source->text));
  EXPECT_GT(graph.layers_size(), 0);
}

TEST_F(ResolveModelTest, AnUploadedFileIsAModule) {
  constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const v1::Model model = Parse<v1::Model>(std::string("uploaded_file { sha256: '") + kAbc + "' }");
  const absl::Status unknown = ResolveModel(model, {}, catalog_, files_).status();
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_EQ(base::DetailOf(unknown).reason, "MODEL_NOT_UPLOADED");
  EXPECT_EQ(base::DetailOf(unknown).field, "model.uploaded_file");
  auto upload = files_.Begin(3, kAbc);
  ASSERT_TRUE((*upload)->Append("abc").ok() && (*upload)->Commit().ok());
  const auto module = ResolveModel(model, {}, catalog_, files_);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(module->kind, model::ModelKind::kModule);
  EXPECT_TRUE(module->expand == nullptr);
  EXPECT_EQ(module->name, "ba7816bf8f01");
  EXPECT_EQ(module->source->format, model::SourceFormat::kTorchScript);
  EXPECT_EQ(module->source->file.sha256, kAbc);
  EXPECT_EQ(module->source->file.size_bytes, 3);
}

TEST_F(ResolveModelTest, NamesAreThePresetsUnlessTheCallerHasOne) {
  EXPECT_EQ(ResolveModel(Parse<v1::Model>("preset: 'GPT2'"), {}, catalog_, files_)->name, "gpt2");
  EXPECT_EQ(ResolveModel(Parse<v1::Model>("preset: 'gpt2' display_name: 'mine'"), {}, catalog_, files_)->name, "mine");
}

TEST_F(ResolveModelTest, ErrorsHaveTheRequestsPaths) {
  EXPECT_EQ(WrongField("preset: 'nope'"), "model.preset");
  EXPECT_EQ(WrongField("preset: 'gpt2'", {.seq_len = 0}), "the.seq_len");
  EXPECT_EQ(WrongField("preset: 'gpt2'", {.inputs = {{0, 0}}}), "the.inputs[0]");
  EXPECT_EQ(WrongField("layer_graph { inputs { shape: [1, 8] } layers { linear { out_features: 4 in_features: 9 } } }"),
            "model.layer_graph.layers[0]");
}

TEST(CountErrorTest, OverflowIsTheRequestsFault) {
  EXPECT_TRUE(absl::IsInvalidArgument(CountError(absl::OutOfRangeError("MACs do not fit 64 bits"), {}, {}, {})));
  EXPECT_TRUE(absl::IsDeadlineExceeded(CountError(absl::DeadlineExceededError(""), {}, {}, {})));
  EXPECT_TRUE(CountError(absl::OkStatus(), {}, {}, {}).ok());
}

TEST(CountErrorTest, OverflowIsAtTheSizeThatIsFurthestFromTheModels) {
  const ShapeFields fields = {"the.batch", "the.seq_len", "the.inputs"};
  const auto field = [&](const model::BatchShape& asked) {
    const absl::Status status = CountError(absl::OutOfRangeError("MACs do not fit 64 bits"), fields, {}, asked);
    return base::DetailOf(status).field;
  };
  EXPECT_EQ(field({.seq_len = 2'000'000'000}), "the.seq_len");
  EXPECT_EQ(field({.batch = 2'000'000'000, .seq_len = 4096}), "the.batch");
  EXPECT_EQ(field({.inputs = {{8, 8}, {1, 2'000'000'000}}}), "the.inputs[1]");
  EXPECT_EQ(field({.seq_len = 512}), "model") << "less than its own";
}

TEST(CountErrorTest, CountersFieldsBecomeTheRequests) {
  const ShapeFields fields = {"training.global_batch", "data_set.seq_len", "data_set.inputs"};
  const auto field = [&](const char* counters) {
    return base::DetailOf(CountError(base::InvalidField(counters, "is wrong"), fields, {}, {})).field;
  };
  EXPECT_EQ(field("batch_shape.inputs[1].dtype"), "data_set.inputs[1].dtype");
  EXPECT_EQ(field("batch_shape.seq_len"), "data_set.seq_len");
  EXPECT_EQ(field("batch_shape.batch"), "training.global_batch");
  EXPECT_EQ(field("model"), "model");
}

TEST(UploadTimeTest, LargerFilesMayTakeLonger) {
  EXPECT_EQ(UploadTime(absl::Seconds(30), 1), absl::Seconds(30));
  EXPECT_EQ(UploadTime(absl::Seconds(30), int64_t{100} << 20), absl::Seconds(130));
}

TEST(RangeOfTest, CutsAListIntoPages) {
  PageRange range = *RangeOf("things", 5, 2, 100, "");
  EXPECT_EQ(range.end, 2u);
  range = *RangeOf("things", 5, 3, 100, range.next_page_token);
  EXPECT_EQ(range.begin, 2u);
  EXPECT_EQ(range.end, 5u);
  EXPECT_EQ(range.next_page_token, "");
  EXPECT_EQ(RangeOf("things", 5, 0, 100, "")->end, 5u);
  EXPECT_FALSE(RangeOf("others", 5, 2, 100, RangeOf("things", 5, 2, 100, "")->next_page_token).ok());
}

TEST(IdSourceTest, RandomOnesDiffer) { EXPECT_NE(IdSource::Random().Next(), IdSource::Random().Next()); }

// gRPC aborts the process over metadata that it is to send with anything but printable ASCII in it.
TEST(RequestIdTest, OnlyPrintableOnesComeBack) {
  FakeIdSource ids;
  EXPECT_EQ(RequestIdFrom("job 17 \"a\"", ids), "job 17 \"a\"");
  EXPECT_EQ(RequestIdFrom(std::string(500, 'x'), ids), std::string(128, 'x'));
  for (const char* bad : {"",
                          "a\x01"
                          "b",
                          "a\nb", "a\tb", "\x7f", "\xc3\xbf"}) {
    const std::string id = RequestIdFrom(bad, ids);
    EXPECT_NE(id, bad);
    EXPECT_FALSE(id.empty());
  }
}

class RunValidatorTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::ValidateRunsResponse> Validate(const std::string& csv, absl::Duration time = absl::Seconds(1)) {
    v1::ValidateRunsRequest request;
    request.set_runs_csv(csv);
    return validator_.Validate(request, clock_.Now() + time);
  }

  base::FakeClock clock_;
  const catalog::ModelCatalog models_;
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  RunValidator validator_{models_, gpus_, clock_, "1.2.3"};
};

TEST_F(RunValidatorTest, LooksUpWhatTheTableLeavesOut) {
  const auto answer = Validate(
      "id,model,gpu_type,n_gpus,global_batch,seq_len\n"
      "1,Llama-2-7B,a100,64,1024,4096\n2,meta-llama/Llama-2-7b-hf,a100,64,1024,4096\n3,nobody-9b,a100,64,1024,4096\n");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->planner_version(), "1.2.3");
  EXPECT_EQ(answer->rows(0).skipped(), "");
  EXPECT_GT(answer->rows(0).predicted_step_seconds(), 1);
  EXPECT_THAT(answer->rows(2).skipped(), HasSubstr("nobody-9b"));
}

TEST_F(RunValidatorTest, ARaggedRowIsSkippedAndTheOthersAnswered) {
  const auto answer = Validate("id,model,gpu_type,n_gpus,global_batch,seq_len\n1,Llama-2-7B\n2,Llama-2-7B,a100,64,1024,4096\n");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(answer->rows(0).skipped(), HasSubstr("line 2: 2 cells, the header has 6"));
  EXPECT_EQ(answer->rows(0).id(), "1");
  EXPECT_EQ(answer->rows(1).skipped(), "");
}

TEST_F(RunValidatorTest, WarnsOfTheTable) {
  EXPECT_THAT(Validate("id\n1\n2\n1\n")->warnings(), ElementsAre(HasSubstr("\"1\" (2 rows)")));
}

TEST_F(RunValidatorTest, ErrorsNameTheFieldAndTheLine) {
  const absl::Status status = Validate("id,tp\n1,\"2\n").status();
  EXPECT_EQ(base::DetailOf(status).field, "runs_csv");
  EXPECT_EQ(base::DetailOf(status).reason, "INVALID_TABLE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("runs_csv: line 2: a quote is not closed"));
  EXPECT_EQ(Validate("id\n").status().message(), "runs_csv: has a header, but no row");
}

TEST_F(RunValidatorTest, GivesUpAtTheDeadline) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(Validate("id\n1\n", absl::ZeroDuration()).status()));
}

}  // namespace
}  // namespace planner::server
