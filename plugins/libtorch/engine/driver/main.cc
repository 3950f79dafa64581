// libtorch_count REQUEST.json…: counts each request (planner.plugin.v1.CountRequest as JSON, its file by path) in a forked
// worker of one warmed process, and prints one line of JSON each: the response, seconds and peak memory above the idle process.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include <google/protobuf/util/json_util.h>

#include "core/base/clock.h"
#include "plugins/libtorch/engine/engine.h"

namespace {

namespace pb = planner::plugin::v1;

/// Kilobytes of `field` ("VmHWM") of this process.
long StatusField(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stol(line.substr(field.size() + 1));
  }
  return 0;
}

int CountOne(const std::string& line) {
  pb::CountRequest request;
  if (!google::protobuf::util::JsonStringToMessage(line, &request).ok()) {
    std::cout << "{\"error\": \"the request is no CountRequest\"}" << std::endl;
    return 2;
  }
  const int fd = open(request.file().path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    std::cout << "{\"error\": \"the file cannot be opened\"}" << std::endl;
    return 2;
  }
  // The process before the count, so that the peak is that of the count.
  std::ofstream("/proc/self/clear_refs") << "5";
  const long before = StatusField("VmRSS");
  const planner::base::Clock& clock = planner::base::Clock::Real();
  const absl::Time start = clock.Now();
  const pb::CountResponse response = planner::libtorch::CountModule(fd, request);
  const double elapsed = absl::ToDoubleSeconds(clock.Now() - start);
  const long peak = StatusField("VmHWM");
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  if (!google::protobuf::util::MessageToJsonString(response, &json, options).ok()) return 1;
  std::cout << "{\"seconds\": " << elapsed << ", \"peak_mb\": " << static_cast<double>(peak - before) / 1024
            << ", \"rss_mb\": " << static_cast<double>(peak) / 1024 << ", \"response\": " << json << "}" << std::endl;
  return 0;
}

}  // namespace

int main() {
  planner::libtorch::WarmUp();
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    const pid_t worker = fork();
    if (worker == 0) _exit(CountOne(line));
    int status = 0;
    waitpid(worker, &status, 0);
    if (WIFSIGNALED(status)) std::cout << "{\"error\": \"signal " << WTERMSIG(status) << "\"}" << std::endl;
  }
  return 0;
}
