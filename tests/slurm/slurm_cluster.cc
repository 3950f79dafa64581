#include "tests/slurm/slurm_cluster.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/base/clock.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

namespace fs = std::filesystem;
using support::ChildProcess;

absl::Time Now() { return base::Clock::Real().Now(); }

/// Ports that nobody has now. Each socket is open until all are found, so that none comes twice.
std::vector<int> FreePorts(size_t count) {
  std::vector<int> ports, sockets;
  while (ports.size() < count) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      break;
    }
    sockets.push_back(fd);
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int fd : sockets) close(fd);
  return ports;
}

std::string NodeName(int i) { return fmt::format("n{:02}", i); }

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  const std::string text = name;
  return text.substr(0, text.find('.'));
}

std::unique_ptr<ChildProcess> Start(const std::vector<std::string>& command) {
  return std::make_unique<ChildProcess>(support::ChildOptions{.command = command});
}

constexpr char kPolicy[] = R"(# The site of the tests.
gpu_types: {a100: A100-SXM-80GB}
default_gpu_type: a100
default:
  mode: enforce
  on_failure: open
  change: {time: cap, count: false, type: false}
  max_time: 7-00:00:00
partitions:
  closed: {on_failure: closed, gpus_per_node: 8}
  advise: {mode: advise}
  amend:
    mode: amend
    change: {time: fill, count: true}
    max_gpus: 512
)";

}  // namespace

Said RunCommand(const std::vector<std::string>& command) {
  const absl::Time start = Now();
  ChildProcess program({.command = command});
  Said said{.exit_code = program.Wait(), .took = Now() - start};
  said.text = program.output();
  return said;
}

bool Eventually(const std::function<bool()>& is_so) {
  const absl::Time end = Now() + absl::Minutes(1);
  while (!is_so()) {
    if (Now() > end) return false;
    poll(nullptr, 0, 20);
  }
  return true;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const fs::path& path, const std::string& text, fs::perms perms) {
  std::ofstream(path, std::ios::binary) << text;
  fs::permissions(path, perms);
}

SlurmCluster::SlurmCluster(const SlurmClusterOptions& options) : options_(options) {
  std::string pattern = fs::temp_directory_path() / "planner-slurm-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    failure_ = "no folder can be made";
    return;
  }
  folder_ = pattern;
  for (const char* name : {"state", "log", "spool", "munge", "etc", "dev"}) fs::create_directory(folder_ / name);
  // Munge refuses a socket that others cannot reach, and a key that others can read.
  fs::permissions(folder_, fs::perms(0755));
  fs::permissions(folder_ / "munge", fs::perms(0711));
  Use();
  StartPlannerd();
  StartServe();
  // The ports may be taken between their choice and their use.
  for (int i = 0; i < 3; ++i) {
    WriteConfiguration();
    if (StartDaemons()) return;
    slurmds_.clear();
    slurmctld_.reset();
    munged_.reset();
  }
  failure_ = "Slurm does not start: " + ReadFile(folder_ / "log/slurmctld.log");
}

void SlurmCluster::Use() const {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"SLURM_CONF", folder_ / "etc/slurm.conf"},
                                                                      {"PLANNER_SLURM_SOCKET", submit_socket()},
                                                                      {"PLANNER_SLURM_ADVICE_SOCKET", advice_socket()},
                                                                      {"PLANNER_SLURM_FALLBACK", folder_ / "fallback"},
                                                                      {"MUNGE_SOCKET", folder_ / "munge/sock"}}) {
    setenv(name.c_str(), value.c_str(), 1);
  }
}

SlurmCluster::~SlurmCluster() {
  Use();
  if (slurmctld_ != nullptr) {
    // Steps are children of slurmd and would live on: they end while it is still there to end them.
    RunCommand({"scancel", "--user=root"});
    Eventually([] { return RunCommand({"squeue", "--noheader", "--states=running,completing"}).text.empty(); });
  }
  slurmds_.clear();
  slurmctld_.reset();
  munged_.reset();
  serve_.reset();
  plannerd_.reset();
  std::error_code error;
  if (std::getenv("PLANNER_SLURM_KEEP") == nullptr) fs::remove_all(folder_, error);
}

void SlurmCluster::WriteConfiguration() {
  const std::string s = folder_;
  const std::vector<int> ports = FreePorts(static_cast<size_t>(options_.nodes) + 2);
  for (int i = 0; i < 8; ++i) {
    std::error_code error;
    fs::create_symlink("/dev/null", folder_ / "dev" / fmt::format("nvidia{}", i), error);
  }
  WriteFile(folder_ / "etc/gres.conf", fmt::format("NodeName=n[01-{}] Name=gpu Type=a100 File={}/dev/nvidia[0-7]\n"
                                                   "NodeName=n[01-{}] Name=nvme Count=100 Flags=CountOnly\n",
                                                   options_.nodes, s, options_.nodes));
  const std::string repository = SOURCE_FOLDER;
  for (const char* name : {"job_submit.lua", "cli_filter.lua"}) {
    fs::copy_file(fs::path(repository) / "clients/slurm" / name, folder_ / "etc" / name,
                  fs::copy_options::overwrite_existing);
  }
  for (const char* name : {"planner-prolog-slurmctld", "planner-epilog-slurmctld"}) {
    fs::copy_file(fs::path(repository) / "deploy/slurm" / name, folder_ / "etc" / name,
                  fs::copy_options::overwrite_existing);
    fs::permissions(folder_ / "etc" / name, fs::perms(0755));
  }
  WriteFile(folder_ / "etc/planner.env",
            fmt::format("PLANNER_SERVER={}\nPLANNERCTL={}\nPLANNER_HOOK_LOG={}/log/hooks.log\n", server(),
                        PLANNERCTL_PATH, s));
  std::string conf = fmt::format(
      R"(ClusterName=test
SlurmctldHost={0}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={1}/munge/sock
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={2}
SlurmdPort={3}
StateSaveLocation={1}/state
SlurmdSpoolDir={1}/spool/%n
SlurmctldPidFile={1}/slurmctld.pid
SlurmdPidFile={1}/slurmd-%n.pid
SlurmctldLogFile={1}/log/slurmctld.log
SlurmdLogFile={1}/log/slurmd-%n.log
SlurmctldDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5
ReturnToService=1
SlurmdParameters=config_overrides
GresTypes=gpu,nvme
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
KillWait=2
PrologSlurmctld={1}/etc/planner-prolog-slurmctld
EpilogSlurmctld={1}/etc/planner-epilog-slurmctld
)",
      HostName(), s, ports[static_cast<size_t>(options_.nodes)], ports[static_cast<size_t>(options_.nodes) + 1]);
  for (int i = 1; i <= options_.nodes; ++i) {
    conf += fmt::format(
        "NodeName={} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs=64 Sockets=2 CoresPerSocket=32 ThreadsPerCore=1 "
        "RealMemory=1000000 Gres=gpu:a100:8,nvme:100 State=UNKNOWN\n",
        NodeName(i), HostName(), ports[static_cast<size_t>(i) - 1]);
  }
  if (options_.asks_planner) conf += "JobSubmitPlugins=lua\n";
  if (options_.gives_advice) conf += "CliFilterPlugins=lua\n";
  const auto partition = [&](const std::string& name, const std::string& rest) {
    conf += fmt::format("PartitionName={} Nodes=n[01-{}] MaxTime=7-00:00:00 DefaultTime=01:00:00 State=UP {}\n", name,
                        options_.nodes, rest);
  };
  partition("gpu", "Default=YES");
  for (const char* name : {"closed", "advise", "amend"}) partition(name, "");
  WriteFile(folder_ / "etc/slurm.conf", conf, fs::perms(0644));
}

bool SlurmCluster::StartDaemons() {
  const std::string s = folder_;
  if (!fs::exists(folder_ / "munge/key")) {
    std::string key(1024, '\0');
    std::ifstream("/dev/urandom", std::ios::binary).read(key.data(), 1024);
    WriteFile(folder_ / "munge/key", key, fs::perms(0400));
  }
  munged_ = Start({"/usr/sbin/munged", "--foreground", "--force", "--key-file=" + s + "/munge/key",
                   "--socket=" + s + "/munge/sock", "--pid-file=" + s + "/munge/pid",
                   "--seed-file=" + s + "/munge/seed", "--num-threads=2"});
  if (!Eventually([&] { return fs::exists(folder_ / "munge/sock"); })) return false;
  const std::string conf = s + "/etc/slurm.conf";
  // Under these names: a slurmctld that is called otherwise has no GPUs.
  slurmctld_ = Start({"/usr/sbin/slurmctld", "-D", "-c", "-f", conf});
  for (int i = 1; i <= options_.nodes; ++i) {
    fs::create_directories(folder_ / "spool" / NodeName(i));
    slurmds_.push_back(Start({"/usr/sbin/slurmd", "-D", "-N", NodeName(i), "-f", conf}));
  }
  return Eventually([this] {
    const std::string text =
        RunCommand({"sinfo", "--noheader", "--Node", "--partition=gpu", "--states=idle", "--Format=Gres:40"}).text;
    int ready = 0;
    for (size_t at = text.find("gpu:a100:8"); at != std::string::npos; at = text.find("gpu:a100:8", at + 1)) ++ready;
    return ready == options_.nodes;
  });
}

void SlurmCluster::StartPlannerd() {
  plannerd_ =
      Start({PLANNERD_PATH, "--listen", server(), "--metrics_listen", "off", "--state_dir", folder_ / "planner"});
  if (!plannerd_->WaitForOutput("event=ready", absl::Minutes(1)))
    failure_ = "plannerd does not start: " + plannerd_->output();
}

void SlurmCluster::StartServe() {
  WriteFile(folder_ / "policy.yaml", kPolicy);
  serve_ = Start({PLANNERCTL_PATH, "--server", server(), "slurm", "serve", "--policy", folder_ / "policy.yaml",
                  "--listen", submit_socket(), "--advice", advice_socket(), "--fallback", folder_ / "fallback"});
  if (!serve_->WaitForOutput("ready", absl::Minutes(1)))
    failure_ = "plannerctl slurm serve does not start: " + serve_->output();
}

Said SlurmCluster::Submit(const std::vector<std::string>& options, const std::string& command) const {
  std::vector<std::string> all = {"sbatch", "--output=/dev/null", "--wrap=" + command};
  all.insert(all.end(), options.begin(), options.end());
  return RunCommand(all);
}

Said SlurmCluster::Plannerctl(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {PLANNERCTL_PATH, "--server", server()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return RunCommand(all);
}

std::string SlurmCluster::JobOf(const Said& said) {
  constexpr std::string_view kBefore = "Submitted batch job ";
  const size_t at = said.text.find(kBefore);
  if (said.exit_code != 0 || at == std::string::npos) return "";
  const size_t begin = at + kBefore.size();
  return said.text.substr(begin, said.text.find_first_not_of("0123456789", begin) - begin);
}

std::string SlurmCluster::Field(const std::string& job, const std::string& name) const {
  const std::string text = RunCommand({"scontrol", "show", "job", "--oneliner", job}).text;
  const size_t at = text.find(" " + name + "=");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 2;
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

size_t SlurmCluster::LogSize() const { return ReadFile(folder_ / "log/slurmctld.log").size(); }

std::string SlurmCluster::LogSince(size_t size) const {
  const std::string text = ReadFile(folder_ / "log/slurmctld.log");
  return text.size() < size ? text : text.substr(size);
}

void SlurmCluster::ForgetFailures() const {
  // slurmctld reads the script again when it is younger, in whole seconds, than it was at the last reading: two calls within one second count as well.
  const fs::path script = folder_ / "etc/job_submit.lua";
  fs::last_write_time(script, fs::last_write_time(script) + std::chrono::seconds(1));
}

}  // namespace planner::slurm
