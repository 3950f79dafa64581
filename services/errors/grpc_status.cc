#include "services/errors/grpc_status.h"

#include "core/base/error.h"
#include "core/base/retry_after.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace planner::errors {
namespace {

constexpr char kDomain[] = "planner";
// gRPC percent-encodes the message (three bytes for one, at worst) and the details repeat it twice in base64:
// 3 x 1000 + 2 x 1334 + fields and metadata stay below the 8 KiB that clients accept.
constexpr size_t kMaxMessage = 1000;
constexpr size_t kMaxField = 200;
constexpr size_t kMaxMetadataValue = 100;
constexpr size_t kMaxMetadataCount = 8;

grpc::StatusCode Code(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return grpc::StatusCode::OK;
    case absl::StatusCode::kCancelled:
      return grpc::StatusCode::CANCELLED;
    case absl::StatusCode::kInvalidArgument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case absl::StatusCode::kDeadlineExceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case absl::StatusCode::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case absl::StatusCode::kAlreadyExists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case absl::StatusCode::kPermissionDenied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case absl::StatusCode::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case absl::StatusCode::kResourceExhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case absl::StatusCode::kFailedPrecondition:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case absl::StatusCode::kAborted:
      return grpc::StatusCode::ABORTED;
    case absl::StatusCode::kOutOfRange:
      return grpc::StatusCode::OUT_OF_RANGE;
    case absl::StatusCode::kUnimplemented:
      return grpc::StatusCode::UNIMPLEMENTED;
    case absl::StatusCode::kInternal:
      return grpc::StatusCode::INTERNAL;
    case absl::StatusCode::kUnavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case absl::StatusCode::kDataLoss:
      return grpc::StatusCode::DATA_LOSS;
    default:
      return grpc::StatusCode::UNKNOWN;
  }
}

/// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80   ? 1
                        : byte(0) < 0xC2 ? 0
                        : byte(0) < 0xE0 ? 2
                        : byte(0) < 0xF0 ? 3
                        : byte(0) < 0xF5 ? 4
                                         : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond Unicode.
  if (byte(0) == 0xE0 && byte(1) < 0xA0) return 0;
  if (byte(0) == 0xED && byte(1) > 0x9F) return 0;
  if (byte(0) == 0xF0 && byte(1) < 0x90) return 0;
  if (byte(0) == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

}  // namespace

std::string Printable(std::string_view text, size_t limit) {
  constexpr std::string_view kEllipsis = "...";
  std::string printable;
  size_t cut = 0;  // Where the ellipsis goes if the text turns out to be too long.
  for (size_t i = 0; i < text.size();) {
    const size_t length = CharacterLength(text.substr(i));
    const std::string_view character = length == 0 ? "?" : text.substr(i, length);
    if (printable.size() + character.size() > limit) {
      printable.resize(cut);
      return printable.append(kEllipsis);
    }
    printable += character;
    if (printable.size() + kEllipsis.size() <= limit) cut = printable.size();
    i += length == 0 ? 1 : length;
  }
  return printable;
}

std::string CodeName(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const base::ErrorDetail detail = base::DetailOf(status);
  const std::string message = Printable({status.message().data(), status.message().size()}, kMaxMessage);

  google::rpc::Status details;
  details.set_code(Code(status.code()));
  details.set_message(message);
  if (!detail.reason.empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(Printable(detail.reason, kMaxField));
    info.set_domain(kDomain);
    for (const auto& [key, value] : detail.metadata) {
      if (info.metadata().size() == kMaxMetadataCount) break;
      (*info.mutable_metadata())[Printable(key, kMaxMetadataValue)] = Printable(value, kMaxMetadataValue);
    }
    details.add_details()->PackFrom(info);
  }
  if (!detail.field.empty() && absl::IsInvalidArgument(status)) {
    google::rpc::BadRequest bad_request;
    auto& violation = *bad_request.add_field_violations();
    violation.set_field(Printable(detail.field, kMaxField));
    violation.set_description(message);
    details.add_details()->PackFrom(bad_request);
  }
  if (const absl::Duration after = base::RetryAfterOf(status); after > absl::ZeroDuration()) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(after));
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(after % absl::Seconds(1))));
    details.add_details()->PackFrom(retry);
  }
  return {Code(status.code()), message, details.SerializeAsString()};
}

}  // namespace planner::errors
