#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "plugins/libtorch/archive/zip_directory.h"

namespace planner::libtorch {

/// What the file of these first bytes is, for a message: "an ELF program or library". For files that are no zip.
std::string DescribeBytes(std::string_view head);

/// What a thing that is no regular file is: "a directory".
std::string DescribeMode(mode_t mode);

/// What a zip file without TorchScript's members is: "a state dictionary, as torch.save writes it". `root` is the folder of its
/// first member, with the slash.
std::string DescribeMembers(const std::vector<ZipMember>& members, std::string_view root);

}  // namespace planner::libtorch
