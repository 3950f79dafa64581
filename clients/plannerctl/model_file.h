#pragma once

#include <grpcpp/client_context.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/plannerctl/session.h"
#include "planner/v1/model.pb.h"

namespace planner::plannerctl {

/// Whether a file begins as the archives do that torch.jit.save writes (zip). False for what cannot be read.
bool BeginsAsArchive(const std::string& path);

/// The content of a TorchScript file of this machine as requests name it; reads it all, a piece at a time. INVALID_ARGUMENT with
/// the path for what is no such file.
absl::StatusOr<v1::UploadedFile> DigestOfModelFile(const std::string& path);

/// Sends the file to the server's store. INVALID_ARGUMENT where it has changed since its digest was taken.
absl::Status UploadModelFile(const std::string& path, const v1::UploadedFile& file, Session& session);

/// One unary call about a model, as Session::Call. Where it is a model file that the server does not have, `path` is uploaded
/// and the call made again.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallAboutModel(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                        const Request& request, const v1::Model& model, const std::string& path,
                                        Session& session) {
  absl::StatusOr<Response> answer = session.Call(method, request);
  if (answer.ok() || !model.has_uploaded_file() || cpp::ReasonOf(answer.status()) != "MODEL_NOT_UPLOADED") return answer;
  RETURN_IF_ERROR(UploadModelFile(path, model.uploaded_file(), session));
  return session.Call(method, request);
}

}  // namespace planner::plannerctl
