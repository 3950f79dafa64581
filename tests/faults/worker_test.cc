#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugins/libtorch/worker/torch_counter.h"
#include "tests/faults/scratch_folder.h"

// The libtorch counter's front, zygote and sandbox, with an engine that does what hostile models do (fake_zygote.cc).

namespace planner::libtorch {
namespace {

using faults::ScratchFolder;
using plugin::v1::CountRequest;
using plugin::v1::CountResponse;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr absl::Duration kLong = absl::Seconds(60);

TorchCounterOptions Options() {
  TorchCounterOptions options;
  options.zygote.program = FAKE_ZYGOTE;
  options.memory_base_bytes = 256 << 20;
  return options;
}

CountRequest Request(const std::string& behaviour) {
  CountRequest request;
  request.mutable_file()->set_path(std::string(HOSTILE_FILES) + "/normal.pt");
  request.mutable_batch_shape()->add_inputs()->set_name(behaviour);
  return request;
}

int OpenDescriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

/// Process numbers.
std::vector<std::string> ChildrenOf(pid_t parent) {
  const std::string id = std::to_string(parent);
  std::ifstream file("/proc/" + id + "/task/" + id + "/children");
  EXPECT_TRUE(file.is_open());
  return {std::istream_iterator<std::string>(file), {}};
}

/// What /proc says of a process; empty if there is none.
std::string StatusLine(const std::string& process, const std::string& name) {
  std::ifstream file("/proc/" + process + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  }
  return "";
}

/// One zygote for all tests: it must survive them.
class WorkerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch = new ScratchFolder();
    std::filesystem::current_path(scratch->path());
    counter = new TorchCounter(Options());
  }
  static void TearDownTestSuite() {
    EXPECT_EQ(counter->zygote().restarts(), 0);
    EXPECT_TRUE(std::filesystem::is_empty(scratch->path())) << "a file was created";
    delete counter;
    std::filesystem::current_path("/");
    delete scratch;
  }

  CountResponse Count(const std::string& behaviour, absl::Duration allowed = kLong) {
    return counter->Count(Request(behaviour), base::Clock::Real().Now() + allowed);
  }
  std::string Try(const std::string& what) {
    const CountResponse response = Count(what);
    return response.has_count() ? response.count().count().model() : response.error().message();
  }
  void TearDown() override { EXPECT_EQ(Try(""), "counted") << "the next count does not work"; }

  static ScratchFolder* scratch;
  static TorchCounter* counter;
};

ScratchFolder* WorkerTest::scratch = nullptr;
TorchCounter* WorkerTest::counter = nullptr;

TEST_F(WorkerTest, CountsAModel) {
  const CountResponse response = Count("");
  EXPECT_EQ(response.count().count().model(), "counted") << response.error().message();
  EXPECT_EQ(response.count().count().parameter_count(), 16);
}

TEST_F(WorkerTest, AllMeasuresAreInForceHere) { EXPECT_THAT(counter->Info().missing_measures(), IsEmpty()); }

TEST_F(WorkerTest, NothingOutsideCanBeReached) {
  for (const char* what : {"open", "create", "proc", "stat", "unlink", "kill_parent", "raise_limit"}) {
    EXPECT_EQ(Try(what), "EPERM") << what;
  }
}

TEST_F(WorkerTest, AttacksAreKilled) {
  for (const char* what : {"connect", "exec", "ptrace", "setuid"}) {
    const CountResponse response = Count(what);
    EXPECT_EQ(response.error().reason(), "MODEL_CRASHED_COUNTER") << what;
    EXPECT_THAT(response.error().message(), HasSubstr("SIGSYS")) << what;
  }
}

TEST_F(WorkerTest, ThreadsYesProcessesNo) {
  EXPECT_EQ(Try("threads"), "4");
  EXPECT_EQ(Try("fork"), "EPERM");
}

TEST_F(WorkerTest, HoldsNoDescriptorButItsOwn) {
  // 0, 1, 2, the model, the reply.
  EXPECT_EQ(Try("descriptors"), "5");
}

TEST_F(WorkerTest, IsNotTheFrontsUser) {
  if (geteuid() == 0) {
    EXPECT_NE(Try("uid"), "0");
  } else {
    // Nobody, inside a user namespace that maps no one.
    EXPECT_EQ(Try("uid"), "65534");
  }
}

TEST_F(WorkerTest, CrashesNameTheirSignal) {
  const std::pair<const char*, const char*> kCrashes[] = {
      {"segv", "SIGSEGV"}, {"fpe", "SIGFPE"}, {"abort", "SIGABRT"}, {"overflow", "SIGSEGV"}};
  for (const auto& [behaviour, signal] : kCrashes) {
    const CountResponse response = Count(behaviour);
    EXPECT_EQ(response.error().code(), 3) << behaviour;
    EXPECT_EQ(response.error().reason(), "MODEL_CRASHED_COUNTER") << behaviour;
    EXPECT_THAT(response.error().message(), HasSubstr(signal)) << behaviour;
  }
}

TEST_F(WorkerTest, EndsWithoutAnAnswerAreErrors) {
  for (const char* behaviour : {"exit", "exit_3", "garbage"}) {
    EXPECT_EQ(Count(behaviour).error().reason(), "MODEL_CRASHED_COUNTER") << behaviour;
  }
  EXPECT_EQ(Count("throw").error().reason(), "COUNTER_FAILED");
}

TEST_F(WorkerTest, EndlessModelsEndAtTheDeadline) {
  for (const char* behaviour : {"hang", "wait"}) {
    const absl::Time start = base::Clock::Real().Now();
    const CountResponse response = Count(behaviour, absl::Seconds(1));
    EXPECT_EQ(response.error().code(), 4) << behaviour;
    EXPECT_EQ(response.error().reason(), "DEADLINE_EXCEEDED") << behaviour;
    EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(1)) << "it answers after its deadline";
  }
}

TEST_F(WorkerTest, ProcessorTimeIsLimitedToo) {
  TorchCounterOptions options = Options();
  options.cpu_per_second = 0.001;
  TorchCounter limited(options);
  const CountResponse response = limited.Count(Request("hang"), base::Clock::Real().Now() + kLong);
  EXPECT_EQ(response.error().reason(), "DEADLINE_EXCEEDED");
  EXPECT_THAT(response.error().message(), HasSubstr("processor time"));
}

TEST_F(WorkerTest, TooMuchMemoryIsSaidAsSuch) {
  for (const char* behaviour : {"allocate", "allocate_and_crash"}) {
    const CountResponse response = Count(behaviour);
    EXPECT_EQ(response.error().code(), 8) << behaviour;
    EXPECT_EQ(response.error().reason(), "MODEL_NEEDS_TOO_MUCH_MEMORY") << behaviour << response.error().message();
  }
}

TEST_F(WorkerTest, AFloodOfOutputGoesNowhere) { EXPECT_EQ(Try("flood"), "flooded"); }

TEST_F(WorkerTest, AnswersHaveABound) {
  EXPECT_EQ(Count("huge", absl::Seconds(20)).error().reason(), "COUNT_TOO_LARGE");
  EXPECT_THAT(Count("huge_garbage", absl::Seconds(20)).error().reason(),
              AnyOf("COUNT_TOO_LARGE", "MODEL_CRASHED_COUNTER"));
}

TEST_F(WorkerTest, ManyCrashesLeaveNothingBehind) {
  ASSERT_TRUE(Count("").has_count());  // The zygote is up, and its socket open.
  const int before = OpenDescriptors();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(Count("segv").error().reason(), "MODEL_CRASHED_COUNTER");
  EXPECT_EQ(OpenDescriptors(), before);
  // Of the zygote: the one child that waits for the next model, and no zombie.
  const std::vector<std::string> children = ChildrenOf(counter->zygote().zygote());
  ASSERT_EQ(children.size(), 1U);
  EXPECT_THAT(StatusLine(children.front(), "State"), Not(HasSubstr("Z")));
  EXPECT_THAT(StatusLine(children.front(), "Seccomp"), HasSubstr("0"));
}

TEST_F(WorkerTest, OneThatWaitsForAJobMayDie) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Count("").has_count());
    for (const std::string& child : ChildrenOf(counter->zygote().zygote())) kill(std::stoi(child), SIGKILL);
    const absl::Time end = base::Clock::Real().Now() + absl::Seconds(30);
    while (!ChildrenOf(counter->zygote().zygote()).empty() && base::Clock::Real().Now() < end)
      std::this_thread::yield();
  }
  EXPECT_TRUE(Count("").has_count());
}

TEST_F(WorkerTest, CountsRunBesideEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 10; ++j) {
        const CountResponse response = Count((i + j) % 2 == 0 ? "" : "abort");
        right += (i + j) % 2 == 0 ? response.has_count() : response.error().reason() == "MODEL_CRASHED_COUNTER";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 80);
}

/// Children of `parent` that are in the sandbox, so have a model.
std::set<std::string> WorkersOf(pid_t parent) {
  std::set<std::string> workers;
  for (const std::string& child : ChildrenOf(parent)) {
    if (StatusLine(child, "Seccomp").find('2') != std::string::npos) workers.insert(child);
  }
  return workers;
}

/// Returns when `parent` has a worker that it did not have `before`, or after half a minute.
void AwaitWorker(pid_t parent, const std::set<std::string>& before) {
  const absl::Time end = base::Clock::Real().Now() + absl::Seconds(30);
  while (base::Clock::Real().Now() < end) {
    const std::set<std::string> now = WorkersOf(parent);
    if (!std::includes(before.begin(), before.end(), now.begin(), now.end())) return;
    std::this_thread::yield();
  }
}

/// Counts that nobody waits for any more, as many as there are places, and then one that somebody waits for.
TEST_F(WorkerTest, AnAbandonedCountFreesItsWorker) {
  TorchCounterOptions options = Options();
  options.zygote.max_workers = 1;
  TorchCounter own(options);
  ASSERT_TRUE(own.Count(Request(""), base::Clock::Real().Now() + kLong).has_count());
  std::atomic<bool> gone = false;
  std::vector<std::thread> clients;
  std::atomic<int> cancelled = 0;
  const std::set<std::string> before = WorkersOf(own.zygote().zygote());
  for (const char* behaviour : {"wait", "hang", "wait"}) {  // One is at work, the others wait for its place.
    clients.emplace_back([&, behaviour] {
      const CountResponse response =
          own.CountUnlessCancelled(Request(behaviour), base::Clock::Real().Now() + kLong, [&] { return gone.load(); });
      cancelled += response.error().reason() == "CANCELLED";
    });
  }
  AwaitWorker(own.zygote().zygote(), before);
  const absl::Time start = base::Clock::Real().Now();
  gone = true;
  EXPECT_TRUE(own.Count(Request(""), start + kLong).has_count());
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(1));
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(cancelled, 3);
  EXPECT_EQ(own.zygote().restarts(), 0);
}

TEST_F(WorkerTest, AZygoteThatDiesIsReplaced) {
  TorchCounter own(Options());
  ASSERT_TRUE(own.Count(Request(""), base::Clock::Real().Now() + kLong).has_count());
  const pid_t first = own.zygote().zygote();
  const std::set<std::string> before = WorkersOf(first);
  // The count at work is lost, and says so.
  std::thread killer([&] {
    AwaitWorker(first, before);
    kill(first, SIGKILL);
  });
  const CountResponse lost = own.Count(Request("wait"), base::Clock::Real().Now() + kLong);
  killer.join();
  EXPECT_EQ(lost.error().reason(), "COUNTER_RESTARTED");
  const absl::Time start = base::Clock::Real().Now();
  CountResponse next;
  // A count that is sent while the old one is not seen to be gone is lost as well.
  do {
    next = own.Count(Request(""), base::Clock::Real().Now() + kLong);
  } while (next.error().reason() == "COUNTER_RESTARTED" && base::Clock::Real().Now() - start < absl::Seconds(2));
  EXPECT_TRUE(next.has_count()) << next.error().message();
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(2));
  EXPECT_EQ(own.zygote().restarts(), 1);
}

TEST_F(WorkerTest, AZygoteThatCannotStartIsSaid) {
  TorchCounterOptions options = Options();
  options.zygote.program = "/nonexistent/zygote";
  TorchCounter none(options);
  const CountResponse response = none.Count(Request(""), base::Clock::Real().Now() + absl::Seconds(1));
  EXPECT_EQ(response.error().reason(), "DEADLINE_EXCEEDED");
  EXPECT_THAT(response.error().message(), HasSubstr("not ready"));
}

TEST_F(WorkerTest, TheDigestIsCompared) {
  CountRequest request = Request("");
  request.mutable_file()->set_sha256(std::string(64, '0'));
  const CountResponse wrong = counter->Count(request, base::Clock::Real().Now() + kLong);
  EXPECT_EQ(wrong.error().reason(), "MODEL_FILE_BROKEN");
  const int file = open(request.file().path().c_str(), O_RDONLY);
  request.mutable_file()->set_sha256(FileDigest(file).value());
  close(file);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(counter->Count(request, base::Clock::Real().Now() + kLong).has_count()) << "time " << i;
  }
  // Remembered, and still compared.
  request.mutable_file()->set_sha256(std::string(64, '0'));
  EXPECT_EQ(counter->Count(request, base::Clock::Real().Now() + kLong).error().reason(), "MODEL_FILE_BROKEN");
}

TEST_F(WorkerTest, FilesThatCannotBeOpenedAreTheirOwnError) {
  CountRequest request = Request("");
  request.mutable_file()->set_path("/nonexistent/model.pt");
  CountResponse response = counter->Count(request, base::Clock::Real().Now() + kLong);
  EXPECT_EQ(response.error().code(), 5);
  EXPECT_EQ(response.error().reason(), "MODEL_FILE_NOT_FOUND");
  request.clear_file();
  request.set_hugging_face_config("{}");
  response = counter->Count(request, base::Clock::Real().Now() + kLong);
  EXPECT_EQ(response.error().code(), 12);
}

}  // namespace
}  // namespace planner::libtorch
