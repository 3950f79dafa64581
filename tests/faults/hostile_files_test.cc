#include <fcntl.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "core/base/error.h"
#include "gtest/gtest.h"
#include "plugins/libtorch/archive/archive_check.h"
#include "plugins/libtorch/worker/torch_counter.h"
#include "tests/faults/scratch_folder.h"

// Every file of hostile_files.py gives a typed error in time, harms nothing, and the next count works.

namespace planner::libtorch {
namespace {

using plugin::v1::CountRequest;
using plugin::v1::CountResponse;

const std::string kFolder = HOSTILE_FILES;

/// File name: the reason that the check gives; "-" if it passes.
std::map<std::string, std::string> Manifest() {
  std::map<std::string, std::string> files;
  std::ifstream manifest(kFolder + "/manifest.tsv");
  for (std::string line; std::getline(manifest, line);) {
    const size_t tab = line.find('\t');
    files[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return files;
}

CountRequest Request(const std::string& name) {
  CountRequest request;
  request.mutable_file()->set_path(kFolder + "/" + name);
  planner::v1::TensorShape& input = *request.mutable_batch_shape()->add_inputs();
  input.add_dimensions(1);
  input.add_dimensions(4);
  input.set_dtype("float32");
  return request;
}

/// In the manifest instead of the archive check's reason: the file passes the check and is stopped when it runs, or harms nobody,
/// since tensors on the meta device have no storage, and is counted.
const std::string kRuns = "-";
const std::string kCounted = "counted";

TEST(HostileFiles, AreMany) { EXPECT_GE(Manifest().size(), 80); }

TEST(HostileFiles, AreRefusedByTheCheckWithTheirReason) {
  for (const auto& [name, reason] : Manifest()) {
    // A link that the front does not follow; the check sees what it opens.
    if (name == "link.pt") continue;
    const int file = open((kFolder + "/" + name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(file, 0) << name;
    const absl::Status status = CheckArchive(file);
    close(file);
    const std::string& expected = reason == kCounted ? kRuns : reason;
    EXPECT_EQ(status.ok() ? kRuns : base::DetailOf(status).reason, expected) << name << ": " << status;
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << name << ": " << status;
  }
}

TEST(HostileFiles, AGoodFilePasses) {
  const int file = open((kFolder + "/normal.pt").c_str(), O_RDONLY | O_CLOEXEC);
  const absl::Status status = CheckArchive(file);
  close(file);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(HostileFiles, GiveTypedErrorsAndHarmNothing) {
  const faults::ScratchFolder scratch;
  std::filesystem::current_path(scratch.path());
  TorchCounterOptions options;
  options.zygote.program = ZYGOTE;
  TorchCounter counter(options);
  const base::Clock& clock = base::Clock::Real();
  ASSERT_TRUE(counter.zygote().MissingMeasures(clock.Now() + absl::Seconds(60)).ok());
  const auto count = [&](const std::string& name, absl::Duration allowed) {
    return counter.Count(Request(name), clock.Now() + allowed);
  };
  const CountResponse normal = count("normal.pt", absl::Seconds(60));
  ASSERT_TRUE(normal.has_count()) << normal.error().message();
  int typed = 0;
  for (const auto& [name, reason] : Manifest()) {
    // The fake engine does not run models.
    const bool runs = reason == kRuns || reason == kCounted;
    if (runs && !RUNS_MODELS) continue;
    const absl::Duration allowed = absl::Seconds(runs ? 3 : 20);
    const absl::Time start = clock.Now();
    const CountResponse response = count(name, allowed);
    EXPECT_LT(clock.Now() - start, allowed) << name;
    if (reason == kCounted) {
      EXPECT_TRUE(response.has_count()) << name << ": " << response.ShortDebugString();
      continue;
    }
    EXPECT_TRUE(response.has_error()) << name << ": " << response.ShortDebugString();
    EXPECT_NE(response.error().reason(), "") << name;
    EXPECT_NE(response.error().message(), "") << name;
    EXPECT_NE(response.error().code(), 0) << name;
    if (!runs) {
      EXPECT_EQ(response.error().reason(), reason) << name << ": " << response.error().message();
      EXPECT_EQ(response.error().field(), "model.file") << name;
    } else {
      std::printf("%s: code=%d reason=%s %s\n", name.c_str(), response.error().code(), response.error().reason().c_str(),
                  response.error().message().substr(0, 300).c_str());
    }
    ++typed;
  }
  EXPECT_GE(typed, 80);
  EXPECT_TRUE(count("normal.pt", absl::Seconds(60)).has_count());
  EXPECT_EQ(counter.zygote().restarts(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << "a file was created";
  EXPECT_FALSE(std::filesystem::exists("/pwned") || std::filesystem::exists("/tmp/pwned"));
  std::filesystem::current_path("/");
}

}  // namespace
}  // namespace planner::libtorch
