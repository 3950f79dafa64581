#pragma once

#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "planner/v1/model.pb.h"

namespace planner::plannerctl {

/// What `--model` means: a file or folder of this machine, read into the request, or the name of a
/// preset, which only the server can know.
///
/// - "-" is a description on `standard_input`;
/// - a path that exists is a description; a plain name like "gpt2" only if it is a file, or a folder
///   with a config.json in it;
/// - what is spelled as a path (begins with "/", "./" or "../", or ends like a description) but does
///   not exist is an error; every other name, "meta-llama/Llama-2-7b" too, is a preset's.
///
/// A description is a Hugging Face config.json, a layer graph in text format, YAML or JSON, or a TorchScript file, of which only
/// the digest is taken (model_file.h uploads it where need be). The
/// ending tells which; without a known one, and between the two kinds of JSON, the content does.
/// INVALID_ARGUMENT with the path for what is none of these.
absl::StatusOr<v1::Model> ReadModelArgument(const std::string& argument, std::istream& standard_input);

}  // namespace planner::plannerctl
