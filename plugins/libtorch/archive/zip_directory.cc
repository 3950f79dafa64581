#include "plugins/libtorch/archive/zip_directory.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "plugins/libtorch/archive/archive_error.h"
#include "plugins/libtorch/archive/byte_order.h"
#include "plugins/libtorch/archive/crc32.h"
#include "plugins/libtorch/archive/file_bytes.h"

namespace planner::libtorch {
namespace {

// APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDataDescriptor = 0x08074b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kZip64End = 0x06064b50;
constexpr uint32_t kZip64Locator = 0x07064b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr int64_t kLocalHeaderBytes = 30;
constexpr int64_t kCentralHeaderBytes = 46;
constexpr int64_t kZip64EndBytes = 56;
constexpr int64_t kZip64LocatorBytes = 20;
constexpr int64_t kEndBytes = 22;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint32_t kIn64 = 0xffffffff;
constexpr uint16_t kFlagDescriptor = 1U << 3;
constexpr uint16_t kFlagUtf8 = 1U << 11;
/// Bounds what one read of a member's content takes of memory; fits the processor's cache.
constexpr int64_t kChunkBytes = 256 << 10;

/// For messages: hostile names may hold anything, and be long.
std::string Quoted(std::string_view name) {
  return absl::StrCat("\"", absl::CHexEscape({name.data(), std::min<size_t>(name.size(), 100)}), "\"");
}

struct Directory {
  int64_t offset = 0;
  int64_t size = 0;
  int64_t members = 0;
};

/// What a header says of a member, before zip64's replacements.
struct Header {
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t stored = 0;
  uint64_t size = 0;
  uint64_t offset = 0;
};

absl::StatusOr<Directory> ReadZip64End(int fd, int64_t end_offset) {
  const int64_t locator_offset = end_offset - kZip64LocatorBytes;
  const int64_t record_offset = locator_offset - kZip64EndBytes;
  ASSIGN_OR_RETURN(const std::string bytes, ReadAt(fd, record_offset, kZip64EndBytes + kZip64LocatorBytes));
  const char* record = bytes.data();
  const char* locator = record + kZip64EndBytes;
  if (LittleEndian<uint32_t>(record) != kZip64End || LittleEndian<uint64_t>(record + 4) != kZip64EndBytes - 12) {
    return Broken("the zip64 end record is not right before its locator");
  }
  if (LittleEndian<uint32_t>(locator + 4) != 0 || LittleEndian<uint32_t>(locator + 16) > 1 ||
      LittleEndian<uint64_t>(locator + 8) != static_cast<uint64_t>(record_offset)) {
    return Broken("the zip64 locator points elsewhere than to the zip64 end record");
  }
  if (LittleEndian<uint32_t>(record + 16) != 0 || LittleEndian<uint32_t>(record + 20) != 0 ||
      LittleEndian<uint64_t>(record + 24) != LittleEndian<uint64_t>(record + 32)) {
    return Broken("the zip file is spread over several disks");
  }
  const auto members = LittleEndian<uint64_t>(record + 32);
  const auto size = LittleEndian<uint64_t>(record + 40);
  const auto offset = LittleEndian<uint64_t>(record + 48);
  if (offset > static_cast<uint64_t>(record_offset) || size != static_cast<uint64_t>(record_offset) - offset) {
    return Broken(absl::StrCat("the zip directory does not end at the zip64 end record: offset=", offset, " size=", size));
  }
  return Directory{static_cast<int64_t>(offset), static_cast<int64_t>(size),
                   static_cast<int64_t>(std::min<uint64_t>(members, INT64_MAX))};
}

absl::StatusOr<Directory> FindDirectory(int fd, int64_t file_bytes) {
  if (file_bytes < kEndBytes) return Broken("the file is too short for a zip file");
  const int64_t end_offset = file_bytes - kEndBytes;
  ASSIGN_OR_RETURN(const std::string end, ReadAt(fd, end_offset, kEndBytes));
  if (LittleEndian<uint32_t>(end.data()) != kEnd || LittleEndian<uint16_t>(end.data() + 20) != 0) {
    return Broken("the file does not end with a zip directory: it is truncated, or something was appended to it");
  }
  if (LittleEndian<uint16_t>(end.data() + 4) != 0 || LittleEndian<uint16_t>(end.data() + 6) != 0 ||
      LittleEndian<uint16_t>(end.data() + 8) != LittleEndian<uint16_t>(end.data() + 10)) {
    return Broken("the zip file is spread over several disks");
  }
  const auto members = LittleEndian<uint16_t>(end.data() + 10);
  const auto size = LittleEndian<uint32_t>(end.data() + 12);
  const auto offset = LittleEndian<uint32_t>(end.data() + 16);
  if (end_offset >= kZip64LocatorBytes + kZip64EndBytes) {
    ASSIGN_OR_RETURN(const std::string signature, ReadAt(fd, end_offset - kZip64LocatorBytes, 4));
    if (LittleEndian<uint32_t>(signature.data()) == kZip64Locator) {
      ASSIGN_OR_RETURN(const Directory directory, ReadZip64End(fd, end_offset));
      const auto agrees = [](uint64_t small, int64_t large, uint64_t in_64) {
        return small == in_64 || small == static_cast<uint64_t>(large);
      };
      if (!agrees(members, directory.members, 0xffff) || !agrees(size, directory.size, kIn64) ||
          !agrees(offset, directory.offset, kIn64)) {
        return Hostile("the zip64 end record and the zip end record disagree");
      }
      return directory;
    }
  }
  if (int64_t{offset} > end_offset || int64_t{size} != end_offset - int64_t{offset}) {
    return Broken(absl::StrCat("the zip directory does not end at the end record: offset=", offset, " size=", size));
  }
  return Directory{offset, size, members};
}

/// Replaces what `header` leaves to the zip64 extra field. `with_offset`: central headers have an offset.
absl::Status ReadExtra(std::string_view extra, std::string_view name, bool with_offset, Header& header) {
  bool seen = false;
  while (!extra.empty()) {
    // Up to three bytes of padding, which some writers leave.
    if (extra.size() < 4) return Broken(absl::StrCat("member ", Quoted(name), " has a broken extra field"));
    const auto id = LittleEndian<uint16_t>(extra.data());
    const size_t size = LittleEndian<uint16_t>(extra.data() + 2);
    if (size > extra.size() - 4) return Broken(absl::StrCat("member ", Quoted(name), " has a broken extra field"));
    std::string_view field = extra.substr(4, size);
    extra.remove_prefix(4 + size);
    if (id != kZip64Extra) continue;
    if (seen) return Hostile(absl::StrCat("member ", Quoted(name), " has two zip64 fields"));
    seen = true;
    const auto take = [&field](uint64_t& value) {
      if (value != kIn64) return true;
      if (field.size() < 8) return false;
      value = LittleEndian<uint64_t>(field.data());
      field.remove_prefix(8);
      return true;
    };
    if (!take(header.size) || !take(header.stored) || (with_offset && !take(header.offset))) {
      return Broken(absl::StrCat("member ", Quoted(name), " has a zip64 field that is too short"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckName(std::string_view name) {
  if (name.empty()) return Broken("a member has an empty name");
  if (name.find('\0') != name.npos || name.find('\\') != name.npos || name.find(':') != name.npos) {
    return Hostile(absl::StrCat("member ", Quoted(name), " has a NUL, a backslash or a colon in its name"));
  }
  if (name.front() == '/') return Hostile(absl::StrCat("member ", Quoted(name), " has an absolute name"));
  for (size_t start = 0; start <= name.size();) {
    const size_t slash = std::min(name.find('/', start), name.size());
    const std::string_view part = name.substr(start, slash - start);
    if (part == ".." || part == ".") {
      return Hostile(absl::StrCat("member ", Quoted(name), " leaves its folder by \"", std::string(part), "\""));
    }
    start = slash + 1;
  }
  return absl::OkStatus();
}

/// A member with the offset of its local header, as the directory has it.
struct CentralMember {
  ZipMember member;
  Header header;
};

absl::StatusOr<std::vector<CentralMember>> ReadCentralHeaders(std::string_view bytes, const Directory& directory,
                                                              const ArchiveLimits& limits) {
  std::vector<CentralMember> members;
  std::unordered_set<std::string> names;
  while (!bytes.empty()) {
    if (std::cmp_greater_equal(members.size(), limits.max_members)) {
      return TooLarge(absl::StrCat("the file has too many members: limit=", limits.max_members));
    }
    if (std::cmp_less(bytes.size(), kCentralHeaderBytes) || LittleEndian<uint32_t>(bytes.data()) != kCentralHeader) {
      return Broken(absl::StrCat("the zip directory is broken at member ", members.size()));
    }
    const size_t name_bytes = LittleEndian<uint16_t>(bytes.data() + 28);
    const size_t extra_bytes = LittleEndian<uint16_t>(bytes.data() + 30);
    const size_t comment_bytes = LittleEndian<uint16_t>(bytes.data() + 32);
    if (bytes.size() - kCentralHeaderBytes < name_bytes + extra_bytes + comment_bytes) {
      return Broken(absl::StrCat("the zip directory is broken at member ", members.size()));
    }
    CentralMember one;
    Header& header = one.header;
    header.flags = LittleEndian<uint16_t>(bytes.data() + 8);
    header.method = LittleEndian<uint16_t>(bytes.data() + 10);
    header.crc = LittleEndian<uint32_t>(bytes.data() + 16);
    header.stored = LittleEndian<uint32_t>(bytes.data() + 20);
    header.size = LittleEndian<uint32_t>(bytes.data() + 24);
    header.offset = LittleEndian<uint32_t>(bytes.data() + 42);
    const std::string_view name = bytes.substr(kCentralHeaderBytes, name_bytes);
    RETURN_IF_ERROR(CheckName(name));
    if (!names.emplace(name).second) return Hostile(absl::StrCat("two members are named ", Quoted(name)));
    if (comment_bytes != 0 || LittleEndian<uint16_t>(bytes.data() + 34) != 0) {
      return Broken(absl::StrCat("member ", Quoted(name), " has a comment, or is on another disk"));
    }
    RETURN_IF_ERROR(ReadExtra(bytes.substr(kCentralHeaderBytes + name_bytes, extra_bytes), name, true, header));
    if ((header.flags & 1U) != 0) return Hostile(absl::StrCat("member ", Quoted(name), " is encrypted"));
    if ((header.flags & ~(kFlagDescriptor | kFlagUtf8)) != 0) {
      return Hostile(absl::StrCat("member ", Quoted(name), " has unknown flags: flags=", header.flags));
    }
    if (header.method != 0 && header.method != 8) {
      return Hostile(absl::StrCat("member ", Quoted(name), " is compressed by an unknown method: method=", header.method));
    }
    const auto end = static_cast<uint64_t>(directory.offset);
    if (header.offset >= end || header.stored > end) {
      return Broken(absl::StrCat("member ", Quoted(name), " lies outside of the file: offset=", header.offset,
                                 " bytes=", header.stored));
    }
    if (header.size > INT64_MAX / 2 || (header.method == 0 && header.size != header.stored)) {
      return Hostile(absl::StrCat("member ", Quoted(name), " is stored, but its two sizes differ: ", header.stored, " and ",
                                  header.size));
    }
    one.member.name = std::string(name);
    one.member.stored_bytes = static_cast<int64_t>(header.stored);
    one.member.size_bytes = static_cast<int64_t>(header.size);
    one.member.crc = header.crc;
    one.member.deflated = header.method == 8;
    members.push_back(std::move(one));
    bytes.remove_prefix(kCentralHeaderBytes + name_bytes + extra_bytes);
  }
  return members;
}

/// Checks the local header at `central`'s offset, its data and its descriptor, which must end exactly at `next_offset`.
absl::Status ReadLocalHeader(int fd, CentralMember& central, int64_t next_offset) {
  ZipMember& member = central.member;
  const Header& expected = central.header;
  const auto offset = static_cast<int64_t>(expected.offset);
  const std::string quoted = Quoted(member.name);
  const auto name_bytes = static_cast<int64_t>(member.name.size());
  if (next_offset - offset < kLocalHeaderBytes + name_bytes) {
    return Hostile(absl::StrCat("member ", quoted, " overlaps the next one"));
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadAt(fd, offset, kLocalHeaderBytes + name_bytes));
  if (LittleEndian<uint32_t>(bytes.data()) != kLocalHeader) {
    return Broken(absl::StrCat("member ", quoted, " has no local header at offset ", offset));
  }
  if (LittleEndian<uint16_t>(bytes.data() + 26) != name_bytes || bytes.substr(kLocalHeaderBytes) != member.name) {
    return Hostile(absl::StrCat("member ", quoted, " has another name in its local header"));
  }
  Header local;
  local.flags = LittleEndian<uint16_t>(bytes.data() + 6);
  local.method = LittleEndian<uint16_t>(bytes.data() + 8);
  local.crc = LittleEndian<uint32_t>(bytes.data() + 14);
  local.stored = LittleEndian<uint32_t>(bytes.data() + 18);
  local.size = LittleEndian<uint32_t>(bytes.data() + 22);
  const int64_t extra_bytes = LittleEndian<uint16_t>(bytes.data() + 28);
  member.data_offset = offset + kLocalHeaderBytes + name_bytes + extra_bytes;
  if (next_offset - member.data_offset < member.stored_bytes) {
    return Hostile(absl::StrCat("member ", quoted, " overlaps the next one"));
  }
  ASSIGN_OR_RETURN(const std::string extra, ReadAt(fd, offset + kLocalHeaderBytes + name_bytes, extra_bytes));
  RETURN_IF_ERROR(ReadExtra(extra, member.name, false, local));
  const bool descriptor = (expected.flags & kFlagDescriptor) != 0;
  // With a descriptor the local header may leave these at 0, or already have them.
  const auto agrees = [descriptor](uint64_t here, uint64_t there) { return here == there || (descriptor && here == 0); };
  if (local.flags != expected.flags || local.method != expected.method || !agrees(local.crc, expected.crc) ||
      !agrees(local.stored, expected.stored) || !agrees(local.size, expected.size)) {
    return Hostile(absl::StrCat("the local header and the directory disagree on member ", quoted));
  }
  const int64_t rest = next_offset - member.data_offset - member.stored_bytes;
  if (!descriptor) {
    if (rest != 0) return Hostile(absl::StrCat(rest, " bytes after member ", quoted, " belong to no member"));
    return absl::OkStatus();
  }
  if (rest != 16 && rest != 24) {
    return Hostile(absl::StrCat(rest, " bytes after member ", quoted, " are no data descriptor"));
  }
  ASSIGN_OR_RETURN(const std::string trailer, ReadAt(fd, next_offset - rest, rest));
  const bool wide = rest == 24;
  const uint64_t stored =
      wide ? LittleEndian<uint64_t>(trailer.data() + 8) : uint64_t{LittleEndian<uint32_t>(trailer.data() + 8)};
  const uint64_t size =
      wide ? LittleEndian<uint64_t>(trailer.data() + 16) : uint64_t{LittleEndian<uint32_t>(trailer.data() + 12)};
  if (LittleEndian<uint32_t>(trailer.data()) != kDataDescriptor || LittleEndian<uint32_t>(trailer.data() + 4) != member.crc ||
      stored != expected.stored || size != expected.size) {
    return Hostile(absl::StrCat("the data descriptor and the directory disagree on member ", quoted));
  }
  return absl::OkStatus();
}

absl::Status WrongCrc(const ZipMember& member, uint32_t found) {
  return Broken(absl::StrCat("member ", Quoted(member.name), " is damaged: its check sum is ", absl::Hex(found, absl::kZeroPad8),
                             " instead of ", absl::Hex(member.crc, absl::kZeroPad8)));
}

}  // namespace

absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(int fd, int64_t file_bytes, const ArchiveLimits& limits) {
  ASSIGN_OR_RETURN(const Directory directory, FindDirectory(fd, file_bytes));
  if (directory.size > limits.max_directory_bytes || directory.members > limits.max_members) {
    return TooLarge(absl::StrCat("the zip directory is too large: members=", directory.members, " bytes=", directory.size,
                                 " limits=", limits.max_members, ",", limits.max_directory_bytes));
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadAt(fd, directory.offset, directory.size));
  ASSIGN_OR_RETURN(std::vector<CentralMember> members, ReadCentralHeaders(bytes, directory, limits));
  if (std::cmp_not_equal(members.size(), directory.members)) {
    return Broken(absl::StrCat("the zip directory has ", members.size(), " members, its end record says ", directory.members));
  }
  std::sort(members.begin(), members.end(),
            [](const CentralMember& a, const CentralMember& b) { return a.header.offset < b.header.offset; });
  const int64_t first = members.empty() ? directory.offset : static_cast<int64_t>(members.front().header.offset);
  if (first != 0) return Hostile(absl::StrCat(first, " bytes before the first member belong to no member"));
  std::vector<ZipMember> checked;
  checked.reserve(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    const bool last = i + 1 == members.size();
    const int64_t next = last ? directory.offset : static_cast<int64_t>(members[i + 1].header.offset);
    RETURN_IF_ERROR(ReadLocalHeader(fd, members[i], next));
    checked.push_back(std::move(members[i].member));
  }
  return checked;
}

absl::Status CheckStoredMember(int fd, const ZipMember& member) {
  std::string chunk(static_cast<size_t>(std::min(kChunkBytes, member.stored_bytes)), '\0');
  uint32_t crc = 0;
  for (int64_t done = 0; done < member.stored_bytes;) {
    const int64_t count = std::min(kChunkBytes, member.stored_bytes - done);
    RETURN_IF_ERROR(ReadAt(fd, member.data_offset + done, chunk.data(), count));
    crc = Crc32(crc, chunk.data(), static_cast<size_t>(count));
    done += count;
  }
  return crc == member.crc ? absl::OkStatus() : WrongCrc(member, crc);
}

absl::StatusOr<std::string> ReadMember(int fd, const ZipMember& member) {
  ASSIGN_OR_RETURN(std::string content, ReadAt(fd, member.data_offset, member.stored_bytes));
  if (member.deflated) {
    std::string inflated(static_cast<size_t>(member.size_bytes), '\0');
    z_stream stream = {};
    // Negative: raw deflate, as zip has it.
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::InternalError("zlib cannot start");
    stream.next_in = reinterpret_cast<Bytef*>(content.data());
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(inflated.data());
    stream.avail_out = static_cast<uInt>(inflated.size());
    const int result = inflate(&stream, Z_FINISH);
    const bool whole = result == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
    inflateEnd(&stream);
    if (!whole) return Broken(absl::StrCat("member ", Quoted(member.name), " does not inflate to its size"));
    content = std::move(inflated);
  }
  const uint32_t crc = Crc32(0, content.data(), content.size());
  if (crc != member.crc) return WrongCrc(member, crc);
  return content;
}

}  // namespace planner::libtorch
