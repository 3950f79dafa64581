// A plugin that goes wrong on request: at its start by FAULTY_START, in a count by the word after "mode" in the model's text.
// "wait" ends when it is cancelled, which is announced unless FAULTY_START is "stubborn"; "hang" never does.
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "core/counting/analytic_counter.h"
#include "core/model/hugging_face.h"
#include "plugins/analytic/answer.h"
#include "plugins/sdk/counter_plugin.h"

namespace planner::plugin {
namespace {

[[noreturn]] void Hang() {
  while (true) pause();
}

void Flood(FILE* stream) {
  for (int i = 0; i < 200'000; ++i) std::fprintf(stream, "flood %d ....................................................\n", i);
  for (int i = 0; i < 300'000; ++i) std::fputc('x', stream);
  std::fflush(stream);
}

class FaultyPlugin final : public CounterPlugin {
 public:
  explicit FaultyPlugin(bool ends_cancelled_counts) : ends_cancelled_counts_(ends_cancelled_counts) {}

  v1::PluginInfo Info() override {
    v1::PluginInfo info;
    info.set_name("faulty");
    info.set_version("1");
    info.add_formats(v1::HUGGING_FACE_CONFIG);
    info.add_formats(v1::TORCHSCRIPT);
    info.set_reads_local_files(true);
    info.add_missing_measures("everything");
    info.set_ends_cancelled_counts(ends_cancelled_counts_);
    return info;
  }

  v1::CountResponse CountUnlessCancelled(const v1::CountRequest& request, absl::Time deadline,
                                         const base::Cancellation& cancelled) override {
    if (!request.has_file() && ModeOf(request.hugging_face_config()) == "wait") {
      while (!cancelled()) poll(nullptr, 0, 10);
      return Error(absl::StatusCode::kCancelled, "cancelled");
    }
    return Count(request, deadline);
  }

  v1::CountResponse Count(const v1::CountRequest& request, absl::Time deadline) override {
    if (request.has_file()) return SizeOf(request.file().path());
    const std::string mode = ModeOf(request.hugging_face_config());
    if (mode == "abort") std::abort();
    if (mode == "exit") std::_Exit(0);
    if (mode == "hang") Hang();
    if (mode == "throw") throw std::runtime_error("on purpose");
    if (mode == "flood_stdout") Flood(stdout);
    if (mode == "flood_stderr") Flood(stderr);
    const auto model = model::ParseHuggingFaceConfig(request.hugging_face_config());
    if (!model.ok()) return Answer(model.status());
    v1::CountResponse response = Answer(counter_.Count(CoreRequest(request, *model, deadline)));
    planner::v1::CountResponse& count = *response.mutable_count()->mutable_count();
    if (mode == "huge") count.add_warnings(std::string(100'000'000, 'x'));
    if (mode == "negative") count.set_parameter_count(-1);
    if (mode == "macs") count.mutable_forward()->set_macs(int64_t{1} << 62);
    if (mode == "modules") count.mutable_modules(1)->mutable_forward()->set_macs(count.forward().macs() + 1);
    if (mode == "operators") count.mutable_operators()->RemoveLast();
    if (mode == "code") response = Error(absl::StatusCode::kUnauthenticated, "no such code for a count", "ODD");
    if (mode == "empty") response.Clear();
    return response;
  }

 private:
  /// Of a model file it counts the bytes, as parameters.
  static v1::CountResponse SizeOf(const std::string& path) {
    std::error_code error;
    const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
    if (error) return Error(absl::StatusCode::kInternal, error.message(), "NO_FILE");
    v1::CountResponse response;
    response.mutable_count()->mutable_count()->set_parameter_count(size);
    return response;
  }

  static std::string ModeOf(const std::string& text) {
    const std::string key = "\"mode\": \"";
    const size_t begin = text.find(key) + key.size();
    return text.substr(begin, text.find('"', begin) - begin);
  }

  const bool ends_cancelled_counts_;
  const counting::AnalyticCounter counter_;
};

}  // namespace
}  // namespace planner::plugin

int main(int argc, char** argv) {
  const char* start = std::getenv("FAULTY_START");
  const std::string how = start == nullptr ? "" : start;
  if (how == "dies") return 3;
  if (how == "segfaults") std::raise(SIGSEGV);
  if (how == "hangs") planner::plugin::Hang();
  if (how == "wrong_handshake") std::puts("hello, world");
  if (how == "wrong_version") std::puts("planner-plugin|99|unix|/nowhere|grpc");
  if (how == "elsewhere") std::puts("planner-plugin|1|unix|/nowhere|grpc");
  if (how == "floods_first") planner::plugin::Flood(stdout);
  if (how == "no_newline") {
    for (int i = 0; i < 10'000; ++i) std::putchar('x');
  }
  if (!how.empty() && how != "deaf" && how != "stubborn") {
    std::fflush(stdout);
    planner::plugin::Hang();
  }
  planner::plugin::FaultyPlugin plugin(how != "stubborn");
  const int code = planner::plugin::Serve(plugin, argc, argv);
  if (how == "deaf") planner::plugin::Hang();  // Neither the end of its input nor SIGTERM ends it.
  return code;
}
