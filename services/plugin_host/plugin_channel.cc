#include "services/plugin_host/plugin_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>

#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "google/protobuf/io/coded_stream.h"
#include "services/config/pem_file.h"

namespace planner::plugin_host {
namespace {

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const PluginSpec& spec) {
  if (spec.ca_file.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, config::ReadPem(spec.ca_file));
  ASSIGN_OR_RETURN(options.pem_cert_chain, config::ReadPem(spec.certificate_file));
  ASSIGN_OR_RETURN(options.pem_private_key, config::ReadPem(spec.key_file));
  return grpc::SslCredentials(options);
}

}  // namespace

bool IsLoopback(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectPlugin(const std::string& target, const PluginSpec& spec,
                                                             const HostOptions& options) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials, Credentials(spec));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // The connection goes with the channel.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);             // A count that ended a plugin must not be sent to the next one.
  arguments.SetMaxReceiveMessageSize(options.max_answer_bytes);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

absl::Status CheckHealth(grpc::Channel& channel, grpc::ClientContext& context) {
  // Two messages of one field: HealthCheckRequest {} and HealthCheckResponse { status: SERVING }.
  static const grpc::internal::RpcMethod kCheck("/grpc.health.v1.Health/Check", grpc::internal::RpcMethod::NORMAL_RPC);
  const std::string serving("\x08\x01", 2);
  grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer answer;
  const grpc::Status status = grpc::internal::BlockingUnaryCall(&channel, kCheck, &context, request, &answer);
  if (!status.ok()) {
    return absl::FailedPreconditionError("its grpc.health.v1.Health does not answer: " + status.error_message());
  }
  grpc::Slice bytes;
  if (!answer.DumpToSingleSlice(&bytes).ok() || std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size()) != serving) {
    return absl::FailedPreconditionError("its grpc.health.v1.Health does not say SERVING");
  }
  return absl::OkStatus();
}

}  // namespace planner::plugin_host
