#include "plugins/libtorch/worker/worker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "plugins/libtorch/archive/archive_check.h"
#include "plugins/libtorch/sandbox/sandbox.h"

namespace planner::libtorch {
namespace {

using plugin::v1::CountResponse;

/// Of google.rpc.Code.
constexpr int kInternal = 13;
constexpr int kResourceExhausted = 8;

WorkerState* shared_state = nullptr;

/// operator new has no memory: say so to the zygote, in case that what follows is a crash.
void OutOfMemory() {
  shared_state->out_of_memory = 1;
  std::set_new_handler(nullptr);
}

CountResponse Failed(int code, std::string_view reason, const std::string& message) {
  CountResponse response;
  response.mutable_error()->set_code(code);
  response.mutable_error()->set_reason(std::string(reason));
  response.mutable_error()->set_message(message);
  return response;
}

bool WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

[[noreturn]] void Reply(int descriptor, const CountResponse& response) {
  const ReplyHeader header = {.bytes = response.ByteSizeLong(), .is_count = response.has_count()};
  std::string bytes(sizeof(header), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  response.AppendToString(&bytes);
  // Destructors and exit handlers of torch have nothing to do here, and a hostile model nothing more to run.
  _exit(WriteAll(descriptor, bytes) ? 0 : 1);
}

CountResponse CheckAndCount(const Engine& engine, const JobHeader& job, std::string_view request, int model,
                            WorkerState& state) {
  plugin::v1::CountRequest parsed;
  if (!parsed.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return Failed(kInternal, "REQUEST_UNREADABLE", "the request did not reach the counter whole");
  }
  state.stage = static_cast<uint32_t>(Stage::kChecking);
  ArchiveLimits limits;
  limits.verify_crc = job.verify_crc;
  limits.allow_setstate = job.allow_setstate;
  limits.allow_file_operators = job.allow_file_operators;
  limits.allow_fork = job.allow_fork;
  if (const absl::Status checked = CheckArchive(model, limits); !checked.ok()) {
    CountResponse response =
        Failed(static_cast<int>(checked.code()), base::DetailOf(checked).reason, std::string(checked.message()));
    response.mutable_error()->set_field("model.file");
    return response;
  }
  state.stage = static_cast<uint32_t>(Stage::kCounting);
  return engine.count(model, parsed);
}

[[noreturn]] void RunWorker(const Engine& engine, const JobHeader& job, std::string_view request, int model, int reply,
                            uid_t user, pid_t zygote, WorkerState& state) {
  const absl::StatusOr<SandboxReport> sandbox = EnterSandbox({.memory_bytes = job.memory_bytes,
                                                              .cpu_seconds = job.cpu_seconds,
                                                              .kept_descriptors = {model, reply},
                                                              .user = user,
                                                              .parent = zygote,
                                                              .require_all_measures = job.require_all_measures});
  if (!sandbox.ok()) Reply(reply, Failed(kInternal, "SANDBOX_INCOMPLETE", std::string(sandbox.status().message())));
  shared_state = &state;
  std::set_new_handler(&OutOfMemory);
  // The engine answers with errors; whatever gets past it must not end as "crashed".
  CountResponse response;
  try {
    response = CheckAndCount(engine, job, request, model, state);
  } catch (const std::bad_alloc&) {
    state.out_of_memory = 1;
    _exit(1);
  } catch (const std::exception& error) {
    response = Failed(kInternal, "COUNTER_FAILED", absl::StrCat("the counter failed: ", error.what()));
  }
  state.stage = static_cast<uint32_t>(Stage::kReplying);
  if (std::cmp_greater(response.ByteSizeLong(), job.max_reply_bytes)) {
    response = Failed(kResourceExhausted, "COUNT_TOO_LARGE",
                      absl::StrCat("the count is too large to be answered: bytes=", response.ByteSizeLong(),
                                   " limit=", job.max_reply_bytes));
  }
  Reply(reply, response);
}

}  // namespace

void AwaitJob(const Engine& engine, int socket, uid_t user, pid_t zygote, WorkerState& state) {
  // The zygote's socket and what it holds of other workers: who waits for their end must not wait for this process.
  if (!KeepOnly({socket}).ok()) _exit(1);
  const std::optional<Packet> packet = ReceivePacket(socket);
  JobHeader job;
  if (!packet.has_value() || packet->descriptors.size() != 2 || packet->bytes.size() < sizeof(job)) _exit(1);
  std::memcpy(&job, packet->bytes.data(), sizeof(job));
  RunWorker(engine, job, std::string_view(packet->bytes).substr(sizeof(job)), packet->descriptors[0].get(),
            packet->descriptors[1].get(), user, zygote, state);
}

void RunProbe(int reply, uid_t user, pid_t zygote) {
  const absl::StatusOr<SandboxReport> sandbox = EnterSandbox({.memory_bytes = int64_t{1} << 30,
                                                              .cpu_seconds = 10,
                                                              .kept_descriptors = {reply},
                                                              .user = user,
                                                              .parent = zygote});
  const std::string missing =
      sandbox.ok() ? absl::StrJoin(sandbox->missing_measures, "\n") : "all: " + std::string(sandbox.status().message());
  _exit(WriteAll(reply, missing) ? 0 : 1);
}

}  // namespace planner::libtorch
