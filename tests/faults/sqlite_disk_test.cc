// Disks that are full, read-only or broken, under a running plannerd and under one that starts: clear, typed errors with the path; reads go on;
// writes work again when the disk does, without a restart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/scratch_folder.h"
#include "tests/faults/planner_client.h"

namespace planner::faults {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Clusters = v1::ClusterService::Stub;
using Estimation = v1::EstimationService::Stub;
using Plans = v1::PlanService::Stub;

/// A mount namespace of this process, as root or as a user who may make one. Before any thread is started.
bool EnterNamespace() {
  const bool is_root = geteuid() == 0;
  const std::string ids = "0 " + std::to_string(is_root ? 0 : geteuid()) + " 1";
  if (unshare(is_root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (!is_root) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << ids;
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

class SqliteDiskTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { in_namespace_ = EnterNamespace(); }

  SqliteDiskTest() : state_(folder_ / "state") {
    setenv("PLANNER_FAULTY_FOLDER", state_.c_str(), 1);
    setenv("PLANNER_FAULT", fault_.c_str(), 1);
    setenv("LD_PRELOAD", FAULTY_DISK, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
  }
  ~SqliteDiskTest() override {
    daemon_.reset();
    if (is_mounted_) umount2(state_.c_str(), MNT_DETACH);
    for (const char* name : {"PLANNER_FAULTY_FOLDER", "PLANNER_FAULT", "LD_PRELOAD", "ASAN_OPTIONS"}) unsetenv(name);
  }

  /// A file system of its own, of 2 MB; false: the kernel lets nobody but its own root mount one.
  bool Mount() {
    mkdir(state_.c_str(), 0700);
    is_mounted_ = in_namespace_ && mount("tmpfs", state_.c_str(), "tmpfs", 0, "size=2m") == 0;
    return is_mounted_;
  }
  std::vector<std::string> Flags() const {
    return {"--config", config_, "--listen", address_, "--metrics_listen", "off", "--state_dir", state_};
  }
  void Start() {
    daemon_ = std::make_unique<behaviour::DaemonProcess>(Flags());
    ASSERT_TRUE(daemon_->ready()) << daemon_->output();
    client_ = std::make_unique<PlannerClient>(address_);
  }
  /// From now on writes fail with the errno; 0: no more.
  void SetFault(int error) const { error == 0 ? static_cast<void>(unlink(fault_.c_str())) : static_cast<void>(std::ofstream(fault_) << error); }

  grpc::Status CreatePlan() {
    v1::Plan plan;
    const grpc::Status status = PlannerClient::Call(
        *client_->plans, &Plans::CreatePlan,
        From<v1::CreatePlanRequest>("hold {} plan { request { model { preset: 'llama-2-7b' } data_set { token_count: 1e9 } resources { "
                                    "cluster: 'main' min_gpus: 8 max_gpus: 8 } } }"),
        plan);
    if (status.ok()) last_plan_ = plan.name();
    return status;
  }
  grpc::Status Reserve() {
    v1::Reservation reservation;
    return PlannerClient::Call(
        *client_->clusters, &Clusters::CreateReservation,
        From<v1::CreateReservationRequest>("parent: 'main' reservation { gpu_count: 8 end_time { seconds: 4000000000 } }"), reservation);
  }
  grpc::Status Describe(const std::string& text) {
    v1::Cluster cluster;
    return PlannerClient::Call(*client_->clusters, &Clusters::UpdateCluster,
                               From<v1::UpdateClusterRequest>("update_mask { paths: 'description' } cluster { name: 'main' description: '" +
                                                              text + "' }"),
                               cluster);
  }

  /// Typed, with the file's path in the text.
  void ExpectError(const grpc::Status& status, grpc::StatusCode code, const std::string& reason) const {
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(state_ + "/planner.db"));
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(details.ParseFromString(status.error_details()) && details.details_size() > 0 && details.details(0).UnpackTo(&info));
    EXPECT_EQ(info.reason(), reason);
  }
  void ExpectWritesFail(grpc::StatusCode code, const std::string& reason) {
    ExpectError(CreatePlan(), code, reason);
    ExpectError(Reserve(), code, reason);
    ExpectError(Describe("not kept"), code, reason);
  }
  /// What was acknowledged is there, and can be planned with.
  void ExpectReadsWork() {
    v1::Plan plan;
    v1::GetPlanRequest get;
    get.set_name(last_plan_);
    EXPECT_TRUE(PlannerClient::Call(*client_->plans, &Plans::GetPlan, get, plan).ok());
    v1::Cluster cluster;
    EXPECT_TRUE(PlannerClient::Call(*client_->clusters, &Clusters::GetCluster, From<v1::GetClusterRequest>("name: 'main'"), cluster).ok());
    EXPECT_EQ(cluster.description(), "kept");
    v1::ListReservationsResponse reservations;
    EXPECT_TRUE(PlannerClient::Call(*client_->clusters, &Clusters::ListReservations, From<v1::ListReservationsRequest>("parent: 'main'"),
                                    reservations)
                    .ok());
    EXPECT_GE(reservations.reservations_size(), 2);
    v1::EstimateResponse estimate;
    EXPECT_TRUE(PlannerClient::Call(*client_->estimation, &Estimation::Estimate,
                                    From<v1::EstimateRequest>(
                                        "model { preset: 'llama-2-7b' } data_set { token_count: 1e9 } resources { cluster: 'main' }"),
                                    estimate)
                    .ok());
    EXPECT_GT(estimate.recommendations_size(), 0);
  }
  void WriteAll() {
    for (const grpc::Status& status : {CreatePlan(), Reserve(), Describe("kept")}) EXPECT_TRUE(status.ok()) << status.error_message();
  }

  static bool in_namespace_;

  const behaviour::ScratchFolder folder_;
  const std::string state_;
  const std::string fault_ = folder_ / "fault";
  const std::string address_ = "unix:" + (folder_ / "plannerd.sock");
  const std::string config_ = folder_.Write("plannerd.textproto",
                                            "counter_plugins { name: 'libtorch' disabled: true } clusters { name: 'main' node_pools { "
                                            "gpu_type: 'h100' node_count: 64 } }");
  bool is_mounted_ = false;
  std::string last_plan_;
  std::unique_ptr<behaviour::DaemonProcess> daemon_;
  std::unique_ptr<PlannerClient> client_;
};

bool SqliteDiskTest::in_namespace_ = false;

TEST_F(SqliteDiskTest, OnAFullDiskReadsGoOnAndWritesWorkAgainOnceThereIsRoom) {
  // A real one where there can be one; else writes fail as on one.
  const bool is_real = Mount();
  Start();
  WriteAll();
  const std::string filler = state_ + "/filler";
  if (is_real) {
    std::ofstream file(filler);
    while (file << std::string(4096, 'x') << std::flush) {
    }
  } else {
    SetFault(ENOSPC);
  }
  // The log may have room left of its own.
  grpc::Status status;
  for (int i = 0; i < 1'000 && (status = CreatePlan()).ok(); ++i) {
  }
  ExpectError(status, grpc::StatusCode::RESOURCE_EXHAUSTED, "DISK_FULL");
  ExpectReadsWork();
  ExpectError(CreatePlan(), grpc::StatusCode::RESOURCE_EXHAUSTED, "DISK_FULL");
  is_real ? static_cast<void>(unlink(filler.c_str())) : SetFault(0);
  WriteAll();
  ExpectReadsWork();
}

TEST_F(SqliteDiskTest, WhereTheDiskBecomesReadOnlyReadsGoOnAndWritesWorkAgainAfterwards) {
  Start();
  WriteAll();
  SetFault(EROFS);
  ExpectWritesFail(grpc::StatusCode::FAILED_PRECONDITION, "READ_ONLY");
  ExpectReadsWork();
  SetFault(0);
  WriteAll();
  ExpectReadsWork();
}

TEST_F(SqliteDiskTest, ADiskThatDoesNotWorkIsUnavailableUntilItDoes) {
  Start();
  WriteAll();
  SetFault(EIO);
  ExpectWritesFail(grpc::StatusCode::UNAVAILABLE, "DISK_ERROR");
  ExpectReadsWork();
  SetFault(0);
  WriteAll();
  ExpectReadsWork();
}

TEST_F(SqliteDiskTest, AQuotaThatIsUsedUpIsAFullDisk) {
  Start();
  WriteAll();
  SetFault(EDQUOT);
  ExpectWritesFail(grpc::StatusCode::RESOURCE_EXHAUSTED, "DISK_FULL");
  SetFault(0);
  WriteAll();
}

TEST_F(SqliteDiskTest, OnAReadOnlyFileSystemPlannerdSaysSoAndDoesNotStart) {
  ASSERT_TRUE(Mount()) << "needs root, or a user who may make namespaces";
  Start();
  WriteAll();
  daemon_.reset();
  ASSERT_EQ(mount("none", state_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  behaviour::DaemonProcess daemon(Flags());
  EXPECT_EQ(daemon.Wait(), 1);
  EXPECT_THAT(daemon.output(), MatchesRegex("plannerd: error: state_dir: [^\n]*" + state_ + "[^\n]*Read-only file system[^\n]*\n"));
  // What was acknowledged is there once it can be written again.
  ASSERT_EQ(mount("none", state_.c_str(), nullptr, MS_REMOUNT, "size=2m"), 0);
  Start();
  ExpectReadsWork();
}

}  // namespace
}  // namespace planner::faults
