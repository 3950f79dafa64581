// count PRESET ADDRESS…: parameters of a model of the catalogue, and the FLOPs of a training step on the batch that is its default; asked
// of whichever of these plannerds is there.
#include <iostream>

#include "clients/cpp/client.h"
#include "clients/cpp/status.h"
#include "planner/v1/estimation_service.grpc.pb.h"

int main(int argc, char** argv) {
  using planner::v1::EstimationService;
  if (argc < 3) {
    std::cerr << "usage: count PRESET ADDRESS...\n";
    return 2;
  }
  const auto client = planner::cpp::Client::Connect({.addresses = {argv + 2, argv + argc}, .timeout = absl::Seconds(10)});
  if (!client.ok()) {
    std::cerr << client.status().message() << '\n';
    return 2;
  }
  planner::v1::CountRequest request;
  request.mutable_model()->set_preset(argv[1]);
  const auto count = (*client)->Call(&EstimationService::Stub::Count, request);
  if (!count.ok()) {
    std::cerr << planner::cpp::ReasonOf(count.status()) << ": " << count.status().message() << '\n';
    return 1;
  }
  std::cout << count->parameter_count() << " parameters, " << count->forward().flops() + count->backward().flops() << " FLOPs\n";
}
