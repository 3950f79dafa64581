// plannerd is killed with SIGKILL in the middle of its clients' writes, two hundred times, on one SQLite file. What a client was told must be
// there at the end, as it was told; nothing may be broken or booked twice. The file is read by itself, without Planner's own code.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/scratch_folder.h"
#include "tests/faults/planner_client.h"

namespace planner::faults {
namespace {

using Clusters = v1::ClusterService::Stub;
using Plans = v1::PlanService::Stub;
using Runs = v1::RunService::Stub;

constexpr int kKills = 200;
constexpr int kClients = 4;
constexpr int kGpusPerNode = 8;

/// Answers since the daemon was started; the killer waits for them, not for a time.
class Answers {
 public:
  void Add() {
    const base::MutexLock lock(mutex_);
    ++count_;
    changed_.WakeAll();
  }
  /// A client has none any more.
  void End() {
    const base::MutexLock lock(mutex_);
    ++ended_;
    changed_.WakeAll();
  }
  void WaitFor(int count) {
    const base::MutexLock lock(mutex_);
    while (count_ < count && ended_ < kClients) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::Condition changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
};

/// What is known of a record from the answers: the states that it may be in. More than one where a call had no answer.
using Told = std::map<std::string, std::set<std::string>>;

constexpr char kGone[] = "gone";

/// What is known of a run.
struct ToldRun {
  std::string plan;
  std::set<std::string> states;
  int64_t step = 0;  ///< The last one that was acknowledged.
};

/// A client that plans, confirms, cancels, carries plans out, reserves and updates a cluster of its own, and remembers what it was told.
class Client {
 public:
  explicit Client(int number) : number_(number), random_(static_cast<unsigned>(number)) {}

  /// Until the daemon is gone.
  void Run(const std::string& address, Answers& answers) {
    const PlannerClient planner(address);
    while (true) {
      const grpc::Status status = Write(planner);
      // There is no connection any more: what was asked may have happened, or not.
      if (Unknown(status)) return answers.End();
      EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::FAILED_PRECONDITION)
          << status.error_code() << " " << status.error_message();
      answers.Add();
    }
  }

  const Told& plans() const { return plans_; }
  const Told& reservations() const { return reservations_; }
  const std::map<std::string, ToldRun>& runs() const { return runs_; }
  const std::set<std::string>& descriptions() const { return descriptions_; }
  int acknowledged() const { return acknowledged_; }

 private:
  int Any(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  static bool Unknown(const grpc::Status& status) { return status.error_code() == grpc::StatusCode::UNAVAILABLE; }

  grpc::Status Write(const PlannerClient& planner) {
    if (!started_plan_.empty()) return StartRun(planner, started_plan_);
    switch (retried_.empty() ? Any(0, 8) : 0) {
      case 0:
      case 1:
        return CreatePlan(planner);
      case 2:
        return Move(planner, &Plans::ConfirmPlan, "PLANNED", "CONFIRMED");
      case 3:
        return Any(0, 1) == 0 ? Move(planner, &Plans::CancelPlan, "PLANNED", "CANCELLED")
                              : Move(planner, &Plans::CancelPlan, "CONFIRMED", "CANCELLED");
      case 4:
        return StartAnyRun(planner);
      case 5:
        return Any(0, 2) == 0 ? FinishRun(planner) : Report(planner);
      case 6:
        return Report(planner);
      case 7:
        return Any(0, 1) == 0 ? Reserve(planner) : Release(planner);
      default:
        return Describe(planner);
    }
  }

  /// One that had no answer is asked for again, under its id.
  grpc::Status CreatePlan(const PlannerClient& planner) {
    const std::string id = retried_.empty() ? std::to_string(number_) + "-" + std::to_string(++requests_) : retried_;
    const std::string gpus = std::to_string(kGpusPerNode * (1 << Any(0, 2)));
    v1::Plan plan;
    const grpc::Status status = PlannerClient::Call(
        *planner.plans, &Plans::CreatePlan,
        From<v1::CreatePlanRequest>("request_id: '" + id + "' hold { expires_in { seconds: 86400 } } plan { request { model { preset: "
                                    "'llama-2-7b' } data_set { token_count: 1e9 } resources { cluster: 'main' min_gpus: " +
                                    gpus + " max_gpus: " + gpus + " } } }"),
        plan);
    retried_ = Unknown(status) ? id : "";
    if (status.ok() && Acknowledged()) plans_[plan.name()] = {"PLANNED"};
    return status;
  }

  template <typename Method>
  grpc::Status Move(const PlannerClient& planner, Method method, const std::string& from, const std::string& to) {
    const std::optional<std::string> name = AnyOf(plans_, from);
    if (!name) return CreatePlan(planner);
    auto request = RequestOf(method);
    request.set_name(*name);
    v1::Plan plan;
    const grpc::Status status = PlannerClient::Call(*planner.plans, method, request, plan);
    if (status.ok() && Acknowledged()) plans_[*name] = {to};
    if (Unknown(status)) plans_[*name].insert(to);
    return status;
  }
  template <typename Request>
  static Request RequestOf(grpc::Status (Plans::* /*method*/)(grpc::ClientContext*, const Request&, v1::Plan*)) {
    return Request();
  }

  grpc::Status StartAnyRun(const PlannerClient& planner) {
    const std::optional<std::string> plan = AnyOf(plans_, Any(0, 1) == 0 ? "PLANNED" : "CONFIRMED");
    if (!plan) return CreatePlan(planner);
    plans_.erase(*plan);  // From now on it ends with its run.
    return StartRun(planner, *plan);
  }
  /// One that had no answer is asked for again, under its id.
  grpc::Status StartRun(const PlannerClient& planner, std::string plan) {
    v1::Run run;
    const grpc::Status status = PlannerClient::Call(
        *planner.runs, &Runs::StartRun,
        From<v1::StartRunRequest>("request_id: 'run of " + plan + "' run { plan: '" + plan + "' }"), run);
    started_plan_ = Unknown(status) ? plan : "";
    if (status.ok() && Acknowledged()) runs_[run.name()] = {std::move(plan), {"RUNNING"}, 0};
    return status;
  }

  grpc::Status Report(const PlannerClient& planner) {
    const std::optional<std::string> name = AnyRun();
    if (!name) return StartAnyRun(planner);
    ToldRun& run = runs_[*name];
    const int64_t step = run.step + 1;
    grpc::ClientContext context;
    PlannerClient::SetDeadline(context);
    v1::ReportProgressResponse response;
    const auto stream = planner.runs->ReportProgress(&context, &response);
    stream->Write(From<v1::ReportProgressRequest>("run: '" + *name + "' samples { step: " + std::to_string(step) + " }"));
    stream->WritesDone();
    const grpc::Status status = stream->Finish();
    if (!status.ok()) return status;
    EXPECT_EQ(response.accepted_count(), 1) << response.ShortDebugString();
    if (Acknowledged()) run.step = step;
    return status;
  }

  grpc::Status FinishRun(const PlannerClient& planner) {
    const std::optional<std::string> name = AnyRun();
    if (!name) return StartAnyRun(planner);
    v1::FinishRunRequest request;
    request.set_name(*name);
    v1::Run run;
    const grpc::Status status = PlannerClient::Call(*planner.runs, &Runs::FinishRun, request, run);
    if (status.ok() && Acknowledged()) runs_[*name].states = {"SUCCEEDED"};
    if (Unknown(status)) runs_[*name].states.insert("SUCCEEDED");
    return status;
  }

  grpc::Status Reserve(const PlannerClient& planner) {
    v1::Reservation reservation;
    const int64_t day = 86400;
    const int64_t start = 4'000'000'000 + Any(0, 999) * day;
    const grpc::Status status = PlannerClient::Call(
        *planner.clusters, &Clusters::CreateReservation,
        From<v1::CreateReservationRequest>("parent: 'main' reservation { gpu_count: " + std::to_string(Any(1, 64)) +
                                           " start_time { seconds: " + std::to_string(start) +
                                           " } end_time { seconds: " + std::to_string(start + Any(1, 9) * day) + " } }"),
        reservation);
    if (status.ok() && Acknowledged()) reservations_[reservation.name()] = {"FIRM"};
    return status;
  }

  grpc::Status Release(const PlannerClient& planner) {
    const std::optional<std::string> name = AnyOf(reservations_, "FIRM");
    if (!name) return Reserve(planner);
    v1::DeleteReservationRequest request;
    request.set_name(*name);
    google::protobuf::Empty nothing;
    const grpc::Status status = PlannerClient::Call(*planner.clusters, &Clusters::DeleteReservation, request, nothing);
    if (status.ok() && Acknowledged()) reservations_[*name] = {kGone};
    if (Unknown(status)) reservations_[*name].insert(kGone);
    return status;
  }

  grpc::Status Describe(const PlannerClient& planner) {
    const std::string description = std::to_string(++requests_);
    v1::Cluster cluster;
    const grpc::Status status =
        PlannerClient::Call(*planner.clusters, &Clusters::UpdateCluster,
                            From<v1::UpdateClusterRequest>("allow_missing: true update_mask { paths: 'description' } cluster { name: 'c" +
                                                           std::to_string(number_) + "' description: '" + description + "' }"),
                            cluster);
    if (status.ok() && Acknowledged()) descriptions_ = {description};
    if (Unknown(status)) descriptions_.insert(description);
    return status;
  }

  bool Acknowledged() {
    ++acknowledged_;
    return true;
  }

  /// One that is surely in the state.
  std::optional<std::string> AnyOf(const Told& told, const std::string& state) {
    std::vector<std::string> names;
    for (const auto& [name, states] : told) {
      if (states == std::set<std::string>{state}) names.push_back(name);
    }
    if (names.empty()) return std::nullopt;
    return names[static_cast<size_t>(Any(0, static_cast<int>(names.size()) - 1))];
  }

  /// One that surely runs.
  std::optional<std::string> AnyRun() {
    Told running;
    for (const auto& [name, run] : runs_) running[name] = run.states;
    return AnyOf(running, "RUNNING");
  }

  const int number_;
  std::mt19937 random_;
  int requests_ = 0;
  std::string retried_;
  std::string started_plan_;  ///< Of a run whose start had no answer.
  Told plans_;
  std::map<std::string, ToldRun> runs_;
  Told reservations_;
  std::set<std::string> descriptions_ = {""};
  int acknowledged_ = 0;
};

/// The file as SQLite itself reads it.
class File {
 public:
  explicit File(const std::string& path) { sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr); }
  ~File() { sqlite3_close_v2(handle_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// Rows of text or blobs.
  std::vector<std::vector<std::string>> Query(const std::string& sql) {
    std::vector<std::vector<std::string>> rows;
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(handle_);
    int code = SQLITE_DONE;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      std::vector<std::string>& row = rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const void* bytes = sqlite3_column_blob(statement, i);
        row.emplace_back(static_cast<const char*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement, i)));
      }
    }
    EXPECT_EQ(code, SQLITE_DONE) << sqlite3_errmsg(handle_);
    sqlite3_finalize(statement);
    return rows;
  }

  /// The records of a kind by name, all of which can be read.
  template <typename Message>
  std::map<std::string, Message> Records(int kind) {
    std::map<std::string, Message> records;
    for (const auto& row : Query("SELECT name, value FROM records WHERE kind = " + std::to_string(kind))) {
      EXPECT_TRUE(records[row[0]].ParseFromString(row[1])) << row[0];
    }
    return records;
  }

 private:
  sqlite3* handle_ = nullptr;
};

/// "h-[0-3,7],h-9": 0, 1, 2, 3, 7, 9.
std::vector<int> NodesOf(const std::string& list) {
  std::vector<int> nodes;
  int number = -1, from = -1;
  for (const char c : list + ",") {
    if (c >= '0' && c <= '9') {
      number = (number < 0 ? 0 : 10 * number) + (c - '0');
    } else if (c == '-' && number >= 0) {
      from = std::exchange(number, -1);
    } else if (number >= 0) {
      for (int i = from < 0 ? number : from; i <= number; ++i) nodes.push_back(i);
      number = from = -1;
    }
  }
  return nodes;
}

/// Each node has, at each moment at which something begins, no more GPUs promised than it has.
void ExpectNoDoubleBooking(const std::map<std::string, v1::Reservation>& reservations) {
  std::map<int, std::map<int64_t, int64_t>> changes;  // By node, of the GPUs in use, by time.
  const auto nanos = [](const google::protobuf::Timestamp& time) { return time.seconds() * 1'000'000'000 + time.nanos(); };
  for (const auto& [name, reservation] : reservations) {
    const std::vector<int> nodes = NodesOf(reservation.nodes());
    ASSERT_EQ(static_cast<int64_t>(nodes.size()), reservation.node_count()) << reservation.nodes();
    for (const int node : nodes) {
      changes[node][nanos(reservation.start_time())] += reservation.gpu_count() / reservation.node_count();
      changes[node][nanos(reservation.end_time())] -= reservation.gpu_count() / reservation.node_count();
    }
  }
  for (const auto& [node, of_node] : changes) {
    int64_t used = 0;
    for (const auto& [time, change] : of_node) ASSERT_LE(used += change, kGpusPerNode) << "node " << node << " at " << time;
  }
}

std::string StateOf(const std::map<std::string, v1::Plan>& plans, const std::string& name) {
  const auto found = plans.find(name);
  return found == plans.end() ? kGone : v1::Plan::State_Name(found->second.state());
}

TEST(SqliteKillTest, TwoHundredKillsDuringWritesLoseNothingAndBreakNothing) {
  EXPECT_EQ(NodesOf("h-[0-3,7],h-19"), (std::vector<int>{0, 1, 2, 3, 7, 19}));
  const behaviour::ScratchFolder folder;
  const std::string config = folder.Write(
      "plannerd.textproto",
      "counter_plugins { name: 'libtorch' disabled: true } clusters { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 64 } }");
  const std::string address = "unix:" + (folder / "plannerd.sock");
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(i);
  std::mt19937 random(1);
  for (int kill = 0; kill < kKills; ++kill) {
    auto daemon = std::make_unique<behaviour::DaemonProcess>(
        std::vector<std::string>{"--config", config, "--listen", address, "--metrics_listen", "off", "--state_dir", folder / "state"});
    ASSERT_TRUE(daemon->ready()) << "after " << kill << " kills: " << daemon->output();
    Answers answers;
    std::vector<std::thread> threads;
    for (Client& client : clients) threads.emplace_back([&] { client.Run(address, answers); });
    answers.WaitFor(std::uniform_int_distribution<int>(1, 25)(random));
    daemon.reset();  // SIGKILL.
    for (std::thread& thread : threads) thread.join();
  }

  File file(folder / "state/planner.db");
  EXPECT_EQ(file.Query("PRAGMA integrity_check"), (std::vector<std::vector<std::string>>{{"ok"}}));
  EXPECT_TRUE(file.Query("SELECT etag FROM records GROUP BY etag HAVING count(*) > 1").empty()) << "no etag is there twice";
  const auto stored_clusters = file.Records<v1::Cluster>(1);
  const auto stored_plans = file.Records<v1::Plan>(2);
  const auto stored_reservations = file.Records<v1::Reservation>(3);
  const auto stored_runs = file.Records<v1::Run>(4);
  const auto samples = file.Query("SELECT name FROM records WHERE kind = 6");
  ExpectNoDoubleBooking(stored_reservations);

  int acknowledged = 0;
  for (size_t i = 0; i < clients.size(); ++i) {
    const Client& client = clients[i];
    acknowledged += client.acknowledged();
    for (const auto& [name, states] : client.plans()) {
      const std::string id = name.substr(std::string("plans/").size());
      const std::string state = StateOf(stored_plans, id);
      EXPECT_THAT(states, ::testing::Contains(state)) << name;
      const auto held = stored_reservations.find("main/" + id);
      EXPECT_EQ(held != stored_reservations.end(), state != "CANCELLED") << name << " is " << state;
      if (held == stored_reservations.end()) continue;
      EXPECT_EQ(held->second.state(), state == "CONFIRMED" ? v1::Reservation::FIRM : v1::Reservation::HELD) << name;
    }
    for (const auto& [name, told] : client.runs()) {
      const std::string id = name.substr(std::string("runs/").size());
      const auto run = stored_runs.find(id);
      ASSERT_NE(run, stored_runs.end()) << name << " is lost";
      EXPECT_EQ(run->second.plan(), told.plan);
      EXPECT_THAT(told.states, ::testing::Contains(v1::Run::State_Name(run->second.state()))) << name;
      EXPECT_GE(run->second.actual().last().step(), told.step) << name;
      EXPECT_TRUE(told.step == 0 || std::find(samples.begin(), samples.end(), std::vector<std::string>{id}) != samples.end()) << name;
      const bool is_held = stored_reservations.contains("main/" + told.plan.substr(std::string("plans/").size()));
      EXPECT_EQ(is_held, run->second.state() == v1::Run::RUNNING) << name << ": its end gives back what its plan holds";
    }
    for (const auto& [name, states] : client.reservations()) {
      const std::string id = name.substr(name.rfind('/') + 1);
      EXPECT_THAT(states, ::testing::Contains(stored_reservations.contains("main/" + id) ? "FIRM" : kGone)) << name;
    }
    const auto cluster = stored_clusters.find("c" + std::to_string(i));
    EXPECT_THAT(client.descriptions(), ::testing::Contains(cluster == stored_clusters.end() ? "" : cluster->second.description()));
  }
  std::set<std::string> carried_out;
  for (const auto& [id, run] : stored_runs) EXPECT_TRUE(carried_out.insert(run.plan()).second) << id << " was started twice: " << run.plan();
  EXPECT_GE(acknowledged, kKills) << "the daemon was killed before it did anything";
  RecordProperty("acknowledged_writes", acknowledged);
  std::cout << kKills << " kills, " << acknowledged << " acknowledged writes, " << stored_plans.size() << " plans, "
            << stored_runs.size() << " runs, " << stored_reservations.size() << " reservations\n";
}

}  // namespace
}  // namespace planner::faults
