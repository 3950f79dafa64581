#include "clients/plannerctl/model_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "clients/plannerctl/numbers.h"
#include "core/base/sha256.h"
#include "fmt/format.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr std::string_view kArchiveMagic = "PK\x03\x04";

absl::Status Wrong(const std::string& path, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", path, what));
}

/// Opens a file that must be there and be one.
absl::StatusOr<std::ifstream> Open(const std::string& path) {
  std::error_code error;
  switch (fs::status(path, error).type()) {
    case fs::file_type::regular:
      break;
    case fs::file_type::not_found:
      return Wrong(path, "no such file");
    case fs::file_type::directory:
      return Wrong(path, "is a folder");
    default:
      return Wrong(path, error ? error.message() : "is not a regular file");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Wrong(path, errno != 0 ? std::strerror(errno) : "cannot be opened");
  return file;
}

/// The next piece; empty at the end.
std::string_view Read(std::ifstream& file, std::vector<char>& buffer) {
  file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  return {buffer.data(), static_cast<size_t>(file.gcount())};
}

}  // namespace

bool BeginsAsArchive(const std::string& path) {
  absl::StatusOr<std::ifstream> file = Open(path);
  if (!file.ok()) return false;
  std::vector<char> buffer(kArchiveMagic.size());
  return Read(*file, buffer) == kArchiveMagic;
}

absl::StatusOr<v1::UploadedFile> DigestOfModelFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::ifstream file, Open(path));
  std::vector<char> buffer(kPieceBytes);
  base::Sha256 digest;
  bool first = true;
  for (std::string_view piece = Read(file, buffer); !piece.empty(); piece = Read(file, buffer)) {
    if (first && !piece.starts_with(kArchiveMagic)) {
      return Wrong(path, "is not a TorchScript file: torch.jit.save writes a zip archive, and this is none");
    }
    first = false;
    digest.Update(piece);
  }
  if (file.bad()) return Wrong(path, "cannot be read");
  if (first) return Wrong(path, "is empty");
  v1::UploadedFile uploaded;
  uploaded.set_sha256(digest.Finish());
  return uploaded;
}

absl::Status UploadModelFile(const std::string& path, const v1::UploadedFile& file, Session& session) {
  ASSIGN_OR_RETURN(std::ifstream content, Open(path));
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return Wrong(path, error.message());
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, session.Channel());
  // A second for each MiB, as the server gives.
  session.StartAgain(absl::Seconds(size / static_cast<int64_t>(kPieceBytes)));

  const auto stub = v1::EstimationService::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(session.deadline()));
  v1::UploadModelResponse response;
  const auto writer = stub->UploadModel(&context, &response);
  v1::UploadModelRequest message;
  message.mutable_announcement()->set_size_bytes(size);
  message.mutable_announcement()->set_sha256(file.sha256());
  bool open = writer->Write(message);
  std::vector<char> buffer(kPieceBytes);
  int64_t sent = 0;
  for (std::string_view piece = Read(content, buffer); open && !piece.empty(); piece = Read(content, buffer)) {
    message.set_data(piece.data(), piece.size());
    open = writer->Write(message);  // False: the server has answered already.
    sent += static_cast<int64_t>(piece.size());
    session.Progress(fmt::format("uploading {}: {} of {}", path, FormatGib(sent), FormatGib(size)));
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  session.Progress("");
  session.StartAgain(absl::ZeroDuration());
  if (status.ok()) return absl::OkStatus();
  const absl::Status failure = cpp::FromGrpc(status);
  return absl::Status(failure.code(), fmt::format("{}: upload: {}", path, std::string(failure.message())));
}

}  // namespace planner::plannerctl
