#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugins/libtorch/archive/limits.h"

namespace planner::libtorch {

/// One member of a zip file whose headers agree with each other.
struct ZipMember {
  std::string name;
  int64_t data_offset = 0;
  int64_t stored_bytes = 0;
  int64_t size_bytes = 0;  ///< Inflated.
  uint32_t crc = 0;        ///< Of the inflated bytes.
  bool deflated = false;
};

/// Reads the directory of the zip file `fd` of `file_bytes` bytes. Stricter than zip readers are, as two readers that disagree
/// on a file are what hostile files live on: the members must fill the file from its first byte to the directory without a gap
/// or an overlap, the directory and the end records the rest; central and local headers and data descriptors must agree; zip64
/// records must fit; names are relative, unique and without "..", "\" and NUL; no encryption, no comment, no second disk; methods
/// 0 (stored) and 8 (deflated) only. In the order of the file.
absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(int fd, int64_t file_bytes, const ArchiveLimits& limits);

/// Compares the check sum of a stored member with its content.
absl::Status CheckStoredMember(int fd, const ZipMember& member);

/// The member's whole content, inflated, its check sum verified. The caller has bounded `size_bytes`.
absl::StatusOr<std::string> ReadMember(int fd, const ZipMember& member);

}  // namespace planner::libtorch
