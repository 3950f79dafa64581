#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/libtorch/worker/descriptor.h"

namespace planner::libtorch {

// What the front and the zygote say to each other. Both are of the same build, so structures go as they are.

/// Most bytes of one packet between them.
constexpr size_t kMaxPacketBytes = 96 << 10;

/// Front to zygote: count one model in a worker of its own. A packet with this, then the serialized CountRequest; with it three
/// descriptors: the model file, where the worker writes its serialized CountResponse, where the zygote writes the JobReport.
struct JobHeader {
  /// Until the worker is killed.
  int64_t nanoseconds = 0;
  /// Address space beyond the zygote's own.
  int64_t memory_bytes = 0;
  int64_t cpu_seconds = 0;
  /// Of the serialized CountResponse.
  int64_t max_reply_bytes = 0;
  bool verify_crc = true;
  bool allow_setstate = false;
  bool allow_file_operators = false;
  bool allow_fork = false;
  bool require_all_measures = false;
};

/// Worker to front, before its serialized CountResponse.
struct ReplyHeader {
  /// Of the CountResponse.
  uint64_t bytes = 0;
  /// A count, of which nothing depends on how the worker ends any more: the front need not wait for that.
  bool is_count = false;
};

/// How far a worker came.
enum class Stage : uint32_t { kStarting, kChecking, kCounting, kReplying };

/// Zygote to front, once for each job: how its worker ended.
struct JobReport {
  enum class Outcome : uint32_t {
    kEnded,      ///< By itself or a signal: wait_status.
    kDeadline,   ///< Killed when its time was over.
    kBusy,       ///< Not started: as many workers as there may be.
    kForkFailed  ///< Not started.
  };
  Outcome outcome = Outcome::kEnded;
  /// As of waitpid.
  int32_t wait_status = 0;
  Stage stage = Stage::kStarting;
  /// Memory that was asked for was refused by the limit.
  bool out_of_memory = false;
  int64_t cpu_microseconds = 0;
  int64_t max_rss_kib = 0;
};

/// A packet that was received.
struct Packet {
  std::string bytes;
  std::vector<Descriptor> descriptors;
};

/// Sends one packet over a SOCK_SEQPACKET socket. False if the other side is gone, or does not take it.
bool SendPacket(int socket, std::string_view bytes, const std::vector<int>& descriptors = {});

/// Waits for one packet. Nullopt if the other side is gone. Descriptors that come are closed on exec.
std::optional<Packet> ReceivePacket(int socket);

}  // namespace planner::libtorch
