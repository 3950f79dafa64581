// What a scrape of a spawned plannerd with 1,000 active runs costs, as Prometheus makes it: over HTTP, compressed. `bin/scrape_benchmark`. Runs
// differ in everything that runs differ in, so that nothing is compressed that would not be.
//
// Growth makes 500 scrapes (PLANNER_SCRAPES: as many) and says what they have added to plannerd's memory, by 10,000:
//     PLANNER_SCRAPES=50000 bin/scrape_benchmark --benchmark_filter=Growth

#include <arpa/inet.h>
#include <google/protobuf/text_format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/hardware/gpu_catalog.h"
#include "fmt/format.h"
#include "planner/v1/plan_service.pb.h"
#include "services/convert/time.h"
#include "services/server/id_source.h"
#include "services/server/run_index.h"
#include "services/server/runs.h"
#include "services/storage/sqlite_store.h"
#include "tests/behaviour/daemon_process.h"

namespace planner::benchmarks {
namespace {

constexpr int kActive = 1000;
constexpr int64_t kSteps = 1'000'000;

/// A plan of kSteps steps of a second, or about: no two are alike.
v1::Plan PlanOf(std::mt19937_64& random) {
  const auto any = [&](double low, double high) { return std::uniform_real_distribution(low, high)(random); };
  const double step = any(0.5, 2);
  v1::Plan plan;
  google::protobuf::TextFormat::ParseFromString(
      fmt::format(
          "state: CONFIRMED estimate {{ model: 'llama-7b' token_count: 4e9 recommendations {{ cluster: 'main' node_pool: 'p' "
          "gpu_type: 'H100-SXM-80GB' gpu_count: {} step_count: {} tokens_per_second: {} model_flops_utilization: {} gpu_hours: {} cost: {} "
          "currency: 'USD' }} }}",
          8 << random() % 8, kSteps, any(1e3, 1e6), any(0.2, 0.5), any(1e3, 1e6), any(1e3, 1e6)),
      &plan);
  v1::Recommendation& best = *plan.mutable_estimate()->mutable_recommendations(0);
  *best.mutable_step_duration() = convert::DurationToProto(absl::Seconds(step));
  *best.mutable_total_duration() = convert::DurationToProto(absl::Seconds(step * kSteps));
  *best.mutable_total_duration_low() = convert::DurationToProto(absl::Seconds(0.85 * step * kSteps));
  *best.mutable_total_duration_high() = convert::DurationToProto(absl::Seconds(1.2 * step * kSteps));
  return plan;
}

/// kActive runs that have reported, in the store of a folder.
void Fill(const std::string& folder) {
  const base::Clock& clock = base::Clock::Real();
  storage::SqliteStore store(folder, clock);
  const hardware::GpuCatalog gpus = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings(store, gpus, clock);
  server::RunIndex index(store);
  server::Runs runs(store, bookings, index, clock, server::IdSource::Random());
  std::mt19937_64 random(1);
  std::vector<server::RunReport> reports;
  for (int i = 0; i < kActive; ++i) {
    const std::string plan = fmt::format("p{}", i);
    (void)store.Create(store::Kind::kPlan, plan, PlanOf(random).SerializeAsString(), "");
    v1::StartRunRequest request;
    request.mutable_run()->set_plan(plan);
    const absl::Time begin = clock.Now() - absl::Hours(static_cast<int64_t>(10 + random() % 200));
    *request.mutable_run()->mutable_start_time() = convert::TimeToProto(begin);
    const absl::StatusOr<v1::Run> run = runs.Start(request);
    if (!run.ok()) return;
    server::RunReport& report = reports.emplace_back(server::RunReport{run->name().substr(5), {}, 0});
    for (int64_t k = 1; k <= 5; ++k) {
      v1::ProgressSample& sample = report.samples.emplace_back();
      *sample.mutable_time() = convert::TimeToProto(begin + (clock.Now() - begin) * k / 5);
      sample.set_step(static_cast<int64_t>(random() % 1000) + k * static_cast<int64_t>(random() % 1000 + 20'000));
    }
  }
  (void)runs.Report(reports);
}

/// A plannerd with those runs, started once.
class Daemon {
 public:
  static Daemon& Get() {
    static Daemon daemon;
    return daemon;
  }
  ~Daemon() {
    process_.reset();
    std::filesystem::remove_all(folder_);
  }

  bool ready() const { return process_->ready(); }
  /// An answer with its headers, as Prometheus asks for it.
  const std::string& Scrape(bool is_compressed) {
    answer_.clear();
    const std::string address = process_->Addresses("metrics")[0];
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const std::string request =
        fmt::format("GET /metrics HTTP/1.1\r\nHost: {}\r\n{}\r\n", address, is_compressed ? "Accept-Encoding: gzip\r\n" : "");
    if (connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) == 0 &&
        write(socket, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      static char buffer[1 << 16];
      for (ssize_t count = 0; (count = read(socket, buffer, sizeof(buffer))) > 0;) answer_.append(buffer, static_cast<size_t>(count));
    }
    close(socket);
    return answer_;
  }
  /// Of processor time that plannerd has had.
  double CpuMilliseconds() const {
    std::ifstream file(fmt::format("/proc/{}/stat", process_->pid()));
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;  // proc(5): 14 and 15 are its time, ours and the kernel's.
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) * 1000 / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  double ResidentBytes() const {
    std::ifstream file(fmt::format("/proc/{}/statm", process_->pid()));
    double size = 0, resident = 0;
    file >> size >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  }

 private:
  Daemon() {
    folder_ = (std::filesystem::temp_directory_path() / "planner-scrapes-XXXXXX").string();
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
    Fill(folder_ + "/state");
    process_ = std::make_unique<behaviour::DaemonProcess>(std::vector<std::string>{
        "--listen", "unix:" + folder_ + "/plannerd.sock", "--metrics_listen", "127.0.0.1:0", "--state_dir", folder_ + "/state"});
  }

  std::string folder_;
  std::unique_ptr<behaviour::DaemonProcess> process_;
  std::string answer_;
};

void Scrape(benchmark::State& state) {
  Daemon& daemon = Daemon::Get();
  if (!daemon.ready()) return state.SkipWithError("plannerd does not start");
  const bool is_compressed = state.range(0) == 1;
  size_t bytes = daemon.Scrape(is_compressed).size();  // The first one makes the memory that the others use.
  const double cpu = daemon.CpuMilliseconds();
  for (auto _ : state) bytes = daemon.Scrape(is_compressed).size();
  state.counters["plannerd_cpu_ms"] = (daemon.CpuMilliseconds() - cpu) / static_cast<double>(state.iterations());
  if (bytes < 10'000) return state.SkipWithError("no page");
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(Scrape)->ArgName("gzip")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

void Growth(benchmark::State& state) {
  Daemon& daemon = Daemon::Get();
  if (!daemon.ready()) return state.SkipWithError("plannerd does not start");
  const char* given = std::getenv("PLANNER_SCRAPES");
  const int64_t count = given != nullptr ? std::atoll(given) : 500;
  constexpr int kWarm = 100;  // The memory that scrapes use again is there after a few.
  for (int i = 0; i < kWarm; ++i) daemon.Scrape(/*is_compressed=*/true);
  const double before = daemon.ResidentBytes();
  for (auto _ : state) {
    for (int64_t i = 0; i < count; ++i) daemon.Scrape(/*is_compressed=*/true);
  }
  state.counters["resident"] = daemon.ResidentBytes();
  state.counters["growth_by_10000"] = (daemon.ResidentBytes() - before) * 10'000 / static_cast<double>(count);
}
BENCHMARK(Growth)->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace planner::benchmarks
