#pragma once

#include <vector>

#include "absl/time/time.h"
#include "core/runs/sample.h"
#include "planner/v1/run.pb.h"

namespace planner::server {

// What is known of a run: its message, and the samples that are kept of it. Pure functions; core/runs has the arithmetic.

/// A run that begins: RUNNING, with a plan, and nothing reported.
void BeginProgress(v1::Run& run);

/// Takes reports in, and tells `actual` anew, as of the newest of them. `samples` are those that are kept, before and after.
void AddReports(std::vector<runs::Sample> reports, v1::Run& run, std::vector<runs::Sample>& samples);

/// A run that ends in `state` at `finish`: nothing is predicted any more, and whether it is evidence is decided.
void EndProgress(v1::Run::State state, absl::Time finish, const std::vector<runs::Sample>& samples, v1::Run& run);

/// A run as it is at `now`: one that still runs has not ended before, and may be late or silent for too long by then.
void SeeAt(absl::Time now, v1::Run& run);

/// The samples as the API shows them, with the defaults of what was not reported filled in.
void ShowSamples(const std::vector<runs::Sample>& samples, v1::Run& run);

/// How samples are stored: the bytes of a Run that has nothing else.
std::string SamplesToBytes(const std::vector<runs::Sample>& samples);
/// False: they cannot be read.
bool SamplesFromBytes(const std::string& bytes, std::vector<runs::Sample>& samples);

}  // namespace planner::server
