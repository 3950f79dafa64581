#include "plugins/libtorch/worker/torch_counter.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/libtorch/archive/file_kind.h"
#include "plugins/libtorch/worker/outcome.h"

namespace planner::libtorch {
namespace {

using plugin::v1::CountRequest;
using plugin::v1::CountResponse;

constexpr char kVersion[] = "0.1.0";
/// Of a request without a deadline, and of the time until the first zygote is ready.
constexpr absl::Duration kLongest = absl::Hours(1);
constexpr absl::Duration kStart = absl::Seconds(30);

/// Workers are killed so much before the caller stops waiting, so that it hears why.
absl::Duration Margin(absl::Duration left) { return std::min(left / 10, absl::Milliseconds(200)); }

}  // namespace

TorchCounter::TorchCounter(TorchCounterOptions options, const base::Clock& clock)
    : options_(std::move(options)), clock_(clock), zygote_(options_.zygote, clock) {}

plugin::v1::PluginInfo TorchCounter::Info() {
  plugin::v1::PluginInfo info;
  info.set_name("libtorch");
  info.set_version(kVersion);
  info.set_description("Runs TorchScript modules on the meta device and counts what they do");
  info.set_counts_backward(true);
  info.add_formats(plugin::v1::TORCHSCRIPT);
  info.set_reads_local_files(true);
  info.set_ends_cancelled_counts(true);
  info.set_max_concurrent_counts(options_.zygote.max_workers);
  const absl::StatusOr<std::vector<std::string>> missing = zygote_.MissingMeasures(clock_.Now() + kStart);
  if (!missing.ok()) {
    info.add_missing_measures(absl::StrCat("unknown: ", std::string(missing.status().message())));
  } else {
    for (const std::string& measure : *missing) info.add_missing_measures(measure);
  }
  return info;
}

CountResponse TorchCounter::Count(const CountRequest& request, absl::Time deadline) {
  return CountUnlessCancelled(request, deadline, {});
}

CountResponse TorchCounter::CountUnlessCancelled(const CountRequest& request, absl::Time deadline,
                                                 const base::Cancellation& cancelled) {
  if (request.model_case() != CountRequest::kFile) {
    return Error(kUnimplemented, "FORMAT_NOT_SUPPORTED", "this counter takes TorchScript files only", "model");
  }
  const absl::Time start = clock_.Now();
  deadline = std::min(deadline, start + kLongest);
  deadline -= Margin(deadline - start);
  const plugin::v1::ModelFile& named = request.file();
  // Never waits: for a pipe without a writer, or a device.
  const Descriptor file(open(named.path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) {
    if (errno == ELOOP) return Error(kInvalidArgument, "NOT_TORCHSCRIPT", "the model file is a symbolic link", "model.file");
    if (errno == ENXIO) return Error(kInvalidArgument, "NOT_TORCHSCRIPT", "the model file is a pipe or a socket", "model.file");
    const bool gone = errno == ENOENT || errno == ENOTDIR;
    return Error(gone ? kNotFound : kInternal, gone ? "MODEL_FILE_NOT_FOUND" : "MODEL_FILE_UNREADABLE",
                 absl::StrCat("the model file cannot be opened: ", std::strerror(errno)), "model.file");
  }
  struct stat state = {};
  if (fstat(file.get(), &state) != 0) return Error(kInternal, "MODEL_FILE_UNREADABLE", std::strerror(errno), "model.file");
  if (!S_ISREG(state.st_mode)) {
    return Error(kInvalidArgument, "NOT_TORCHSCRIPT", absl::StrCat("the model file is ", DescribeMode(state.st_mode)), "model.file");
  }
  if (named.size_bytes() != 0 && named.size_bytes() != state.st_size) {
    return Error(kInvalidArgument, "MODEL_FILE_BROKEN",
                 absl::StrCat("the model file has not the size that was named: bytes=", state.st_size, " named=", named.size_bytes()),
                 "model.file");
  }
  const std::optional<std::string> known = verified_.Digest(state);
  if (known.has_value() && !named.sha256().empty() && *known != named.sha256()) {
    return Error(kInvalidArgument, "MODEL_FILE_BROKEN", "the model file is not the one that was named: its digest differs", "model.file");
  }
  // Beside the worker, which takes as long: nothing is answered before both are done.
  std::future<absl::StatusOr<std::string>> digest;
  if (!known.has_value() && !named.sha256().empty() && !named.digest_checked()) {
    digest = std::async(std::launch::async, [&file] { return FileDigest(file.get()); });
  }
  JobHeader job;
  const double memory = options_.memory_per_file_byte * static_cast<double>(state.st_size);
  job.memory_bytes = options_.memory_base_bytes + static_cast<int64_t>(std::min(memory, 1e15));
  job.cpu_seconds = static_cast<int64_t>(std::ceil(options_.cpu_per_second * absl::ToDoubleSeconds(deadline - start))) + 1;
  job.max_reply_bytes = options_.max_reply_bytes;
  job.verify_crc = !known.has_value();
  job.allow_setstate = options_.allow_setstate;
  job.allow_file_operators = options_.allow_file_operators;
  job.allow_fork = options_.allow_fork;
  job.require_all_measures = options_.require_all_measures;
  // A worker reads the file by its descriptor; where it lies is none of its business.
  CountRequest stripped = request;
  stripped.mutable_file()->clear_path();
  const absl::StatusOr<WorkerOutcome> outcome = zygote_.Run(file.get(), job, stripped, deadline, cancelled);
  const absl::StatusOr<std::string> found = digest.valid() ? digest.get() : absl::StatusOr<std::string>(named.sha256());
  if (!outcome.ok()) {
    switch (outcome.status().code()) {
      case absl::StatusCode::kCancelled:
        return Error(kCancelled, "CANCELLED", std::string(outcome.status().message()));
      case absl::StatusCode::kDeadlineExceeded:
        return Error(kDeadlineExceeded, "DEADLINE_EXCEEDED", std::string(outcome.status().message()));
      case absl::StatusCode::kInvalidArgument:
        return Error(kInvalidArgument, "REQUEST_TOO_LARGE", std::string(outcome.status().message()));
      case absl::StatusCode::kResourceExhausted:
        return Error(kResourceExhausted, "COUNTER_BUSY", std::string(outcome.status().message()));
      default:
        return Error(kInternal, "COUNTER_RESTARTED", std::string(outcome.status().message()));
    }
  }
  if (!found.ok()) return Error(kInternal, "MODEL_FILE_UNREADABLE", std::string(found.status().message()), "model.file");
  if (*found != named.sha256()) {
    return Error(kInvalidArgument, "MODEL_FILE_BROKEN", "the model file is not the one that was named: its digest differs", "model.file");
  }
  CountResponse answer = AnswerOf(*outcome, job, deadline - start);
  // Counted, so all its check sums were right.
  if (answer.has_count() && !named.sha256().empty()) verified_.Remember(state, named.sha256());
  return answer;
}

}  // namespace planner::libtorch
